// The lines of an NDJSON answer as they arrive, as bytes: who keeps a page keeps no text in memory.
export async function* lines(answer) {
  const reader = answer.body.getReader();
  let parts = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      let from = 0;
      for (let at = value.indexOf(10); at >= 0; at = value.indexOf(10, from)) {
        yield joined([...parts, value.subarray(from, at)]);
        parts = [];
        from = at + 1;
      }
      if (from < value.length) parts.push(value.slice(from));
    }
  } finally {
    reader.cancel().catch(() => {});
  }
  if (parts.length) yield joined(parts);
}

const decoder = new TextDecoder();
export const parsed = (bytes) => JSON.parse(decoder.decode(bytes));

function joined(parts) {
  if (parts.length === 1) return parts[0];
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
