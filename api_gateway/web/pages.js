// A list of many pages, of which only those near the window are elements. Heights are estimated until they are seen.
const GAP = 24;
const BEYOND = 0.75; // windows above and below in which pages are drawn

export class PageList {
  // `keyOf`, `estimate` and `make` take an index; `make` gives { element, release() }.
  constructor(element, { keyOf, estimate, make }) {
    Object.assign(this, { element, keyOf, estimate, make });
    this.heights = new Map(); // measured, by key
    this.rows = new Map(); // drawn, by key
    this.tops = [0];
    this.sizes = new ResizeObserver((entries) => this.#measured(entries));
    this.stop = new AbortController();
    const later = () => this.#later();
    addEventListener("scroll", later, { passive: true, signal: this.stop.signal });
    addEventListener("resize", () => this.#resized(), { signal: this.stop.signal });
    this.width = element.clientWidth;
  }

  get count() {
    return this.tops.length - 1;
  }

  // The pages are others or more than before.
  set count(count) {
    this.#place(count);
    this.#later();
  }

  // The page with this key is to be drawn anew.
  renew(key) {
    const row = this.rows.get(key);
    if (!row) return;
    this.#drop(key, row);
    this.#later();
  }

  close() {
    this.stop.abort();
    cancelAnimationFrame(this.frame);
    this.sizes.disconnect();
    for (const [key, row] of this.rows) this.#drop(key, row);
  }

  // Now, not with the next frame: the first page is seen as soon as it is there.
  draw() {
    this.frame = null;
    const top = -this.element.getBoundingClientRect().top;
    const first = this.#at(top - innerHeight * BEYOND);
    const last = this.#at(top + innerHeight * (1 + BEYOND));
    const wanted = new Map();
    for (let index = first; index <= last && index < this.count; index++) wanted.set(this.keyOf(index), index);
    for (const [key, row] of this.rows) if (!wanted.has(key)) this.#drop(key, row);
    let made = 0;
    for (const [key, index] of wanted) {
      if (!this.rows.has(key)) {
        if (made++ && this.rows.size > 2) { // one a frame: scrolling stays smooth
          this.#later();
          break;
        }
        this.#make(key, index);
      }
      this.rows.get(key).element.style.transform = `translateY(${this.tops[index]}px)`;
    }
  }

  #make(key, index) {
    const row = this.make(index);
    this.rows.set(key, row);
    const after = [...this.rows.entries()].filter(([other]) => other > key).sort(([a], [b]) => a - b)[0];
    this.element.insertBefore(row.element, after ? after[1].element : null); // in their order, for the keyboard
    this.sizes.observe(row.element);
  }

  #drop(key, row) {
    this.sizes.unobserve(row.element);
    row.element.remove();
    row.release();
    this.rows.delete(key);
  }

  #place(count = this.count) {
    const tops = [0];
    for (let index = 0; index < count; index++) {
      tops.push(tops[index] + (this.heights.get(this.keyOf(index)) ?? this.estimate(index)) + GAP);
    }
    this.tops = tops;
    this.element.style.height = `${tops[count]}px`;
  }

  #measured(entries) {
    const top = -this.element.getBoundingClientRect().top;
    const index = this.#at(Math.max(0, top));
    const into = top - this.tops[index];
    let changed = false;
    for (const { target } of entries) {
      const height = target.offsetHeight;
      for (const [key, row] of this.rows) {
        if (row.element === target && height && this.heights.get(key) !== height) {
          this.heights.set(key, height);
          changed = true;
        }
      }
    }
    if (!changed) return;
    this.#place();
    if (top > 0) scrollBy(0, this.tops[index] + into - top); // what is read stays where it is
    this.draw();
  }

  #resized() {
    if (this.width !== this.element.clientWidth) {
      this.width = this.element.clientWidth;
      this.heights.clear();
      this.#place();
    }
    this.#later();
  }

  #later() {
    this.frame ??= requestAnimationFrame(() => this.draw());
  }

  // The index of the page at this height.
  #at(height) {
    let [low, high] = [0, Math.max(0, this.count - 1)];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.tops[middle] <= height) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
