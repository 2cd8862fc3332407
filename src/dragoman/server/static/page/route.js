// The state that the address holds: `#view?name=value`. A text is never put there, for browsers keep addresses.

/** The view and the parameters that the address names. */
export function route() {
  const [view, query = ""] = location.hash.slice(1).split("?");
  return { view, parameters: new URLSearchParams(query) };
}

/** Put parameters into the address without a new step in the browser's history. */
export function remember(view, parameters) {
  history.replaceState(null, "", `#${view}?${new URLSearchParams(parameters)}`);
}
