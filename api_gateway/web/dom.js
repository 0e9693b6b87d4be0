// Makes elements: h("p", { class: "note", hidden: true, onclick: f }, "text", child).
export function h(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key in element && typeof value !== "string") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const $ = (selector, root = document) => root.querySelector(selector);

// Read to users of screen readers. A text that is the same as before is not read twice.
export function announce(text) {
  const live = $("#live");
  if (live.textContent !== text) live.textContent = text;
}
