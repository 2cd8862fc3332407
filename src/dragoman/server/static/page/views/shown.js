// What a view does only while it is looked at.

import { route } from "../route.js";

/** Call `come(signal)` whenever the reader comes to a view; the signal ends when he leaves it. */
export function whenShown(view, come) {
  let here;
  const look = () => {
    const isHere = route().view === view;
    if (isHere && !here) {
      here = new AbortController();
      come(here.signal);
    } else if (!isHere) {
      here?.abort();
      here = undefined;
    }
  };
  window.addEventListener("hashchange", look);
  look();
}
