// Tries a call until the server can take it: a busy or absent server is waited for, and the caller is told.
import { ApiError, Unreachable } from "./api.js";
import { askForKey } from "./keys.js";
import { untilBack } from "./server.js";

// The server refused before it began. Other errors may be the file's fault: the user decides.
const PASSING = new Set([
  "overloaded", "not_ready", "model_server_unreachable", "no_space", "store_unavailable", "too_many_jobs", "composer_failed",
]);
const LONGEST_MILLISECONDS = 15 * 60 * 1000;
const MOST_LOST = 3; // answers broken off in a row although the server is alive

export async function patient(attempt, { signal, onWait = () => {}, onResume = () => {} }) {
  const began = Date.now();
  let lost = 0;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (signal.aborted) throw error;
      if (error instanceof Unreachable) {
        if (++lost > MOST_LOST) throw new ApiError("connection_lost");
        onWait("offline");
        if (lost > 1) await pause(1000, signal);
        await untilBack(signal);
      } else if (error instanceof ApiError && error.status === 401) {
        onWait("key");
        await askForKey(signal);
      } else if (PASSING.has(error.code) && Date.now() - began < LONGEST_MILLISECONDS) {
        const seconds = Math.max(1, error.retryAfter);
        for (let left = seconds; left > 0; left--) {
          onWait("busy", left, error.code);
          await pause(1000, signal);
        }
      } else {
        throw error;
      }
      onResume();
    }
  }
}

export function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}

// At most `limit` tasks at once, in their order.
export function makeQueue(limit) {
  const waiting = [];
  let running = 0;
  const next = () => {
    while (running < limit && waiting.length) {
      running++;
      waiting.shift()().finally(() => {
        running--;
        next();
      });
    }
  };
  return (task) => {
    waiting.push(task);
    next();
  };
}
