// Whom this browser is in which conversation, and what they wrote that is not sent yet. It is kept in this browser only.

import { keep, recall } from "../store.js";

/** The seat that a token opens: `{ name, language, unsent }`, undefined where this browser has not taken it. */
export function seatOf(token) {
  return recall(`seat.${token}`);
}

export function keepSeat(token, seat) {
  keep(`seat.${token}`, seat);
}

/** The tokens by which the owner of conversations comes back to them, by conversation. */
export function ownTokens() {
  return recall("desk.tokens", {});
}

export function keepOwnToken(room, token) {
  keep("desk.tokens", { ...ownTokens(), [room]: token });
}

/** Forget the seats in conversations that are no longer among `rooms`. */
export function forgetOthers(rooms) {
  const tokens = Object.entries(ownTokens());
  for (const [room, token] of tokens) if (!rooms.includes(room)) forgetSeat(token);
  keep("desk.tokens", Object.fromEntries(tokens.filter(([room]) => rooms.includes(room))));
}

/** Forget the seat that a token opened. */
export function forgetSeat(token) {
  keepSeat(token, undefined);
}
