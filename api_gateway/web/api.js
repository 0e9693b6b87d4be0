// Calls to the gateway. A failure is an ApiError with the server's code, or Unreachable if there was no answer.
const BASE = new URL("..", import.meta.url);
export const key = { value: sessionStorage.getItem("ocr.key") ?? "" };

export class ApiError extends Error {
  constructor(code, status = 0, detail = "", retryAfter = 0) {
    super(detail || code);
    Object.assign(this, { code, status, detail, retryAfter });
  }
}

export class Unreachable extends Error {}

export async function call(path, { query = {}, headers = {}, ...options } = {}) {
  const url = new URL(path, BASE);
  for (const [name, value] of Object.entries(query)) if (value !== "") url.searchParams.set(name, value);
  const own = key.value ? { authorization: `Bearer ${encoded(key.value)}` } : {};
  let answer;
  try {
    answer = await fetch(url, { cache: "no-store", credentials: "same-origin", ...options, headers: { ...own, ...headers } });
  } catch (error) {
    throw lost(error, options.signal);
  }
  if (!answer.ok) throw await failure(answer);
  return answer;
}

export const json = async (path, options) => (await call(path, options)).json();

export function form(file, password) {
  const data = new FormData();
  if (password) data.append("password", password); // before the file: it is needed when the file is opened
  data.append("image_file", file, file.name || "picture");
  return data;
}

// An answer that was broken off, or never came. A call that the user ended is passed on.
export function lost(error, signal) {
  return signal?.aborted || error instanceof ApiError ? error : new Unreachable(String(error));
}

async function failure(answer) {
  const problem = await answer.json().catch(() => ({}));
  const retryAfter = Number(answer.headers.get("retry-after")) || 0;
  return new ApiError(problem.code ?? `http_${answer.status}`, answer.status, problem.detail, retryAfter);
}

// A header has Latin-1 characters only; others are sent as UTF-8.
function encoded(text) {
  return String.fromCharCode(...new TextEncoder().encode(text));
}
