// What the page remembers, in this browser only.

const PREFIX = "dragoman.";

/** localStorage, or for this visit only where the browser does not allow it. */
function storage() {
  try {
    localStorage.getItem(PREFIX);
    return localStorage;
  } catch {
    const kept = new Map();
    return {
      getItem: (name) => kept.get(name) ?? null,
      setItem: (name, value) => kept.set(name, value),
      removeItem: (name) => kept.delete(name),
    };
  }
}

const kept = storage();

/** The value kept under a name, or `otherwise`. */
export function recall(name, otherwise) {
  const value = kept.getItem(PREFIX + name);
  return value === null ? otherwise : JSON.parse(value);
}

/** Keep a value; undefined forgets it. Throws QuotaExceededError where the browser has no room left. */
export function keep(name, value) {
  if (value === undefined) kept.removeItem(PREFIX + name);
  else kept.setItem(PREFIX + name, JSON.stringify(value));
}
