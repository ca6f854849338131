/**
 * Clients for the services of a Stoa node, in Node, in browsers, and wherever else there is `fetch`.
 *
 * ```ts
 * import { connect, signIn } from "@stoa/sdk";
 * import { LedgerService } from "@stoa/sdk/ledger";
 *
 * const stoa = connect({ url: "http://127.0.0.1:8080" });
 * await signIn(stoa, { login: "ada", password });
 * const { balance } = await stoa.client(LedgerService).getBalance({ account: "wallets/ada" });
 * ```
 *
 * What a service promises comes from its contract. Around that, each call brings what is easily
 * forgotten: a key, so that a command that is sent twice happens once; the position of the last
 * commit that was seen, so that whoever wrote reads what they wrote; another attempt where the
 * node says that one is worth it; and errors that say what to do.
 */

export { StoaError, type Violation } from "./errors.js";
export { withKey } from "./headers.js";
export { type State, type Watching, watch } from "./live.js";
export { type Credentials, SecondFactorNeeded, signIn, signingIn, signOut } from "./session.js";
export { connect, type Options, type Stoa } from "./stoa.js";
export { type Seen, type Watched, watched } from "./watched.js";
