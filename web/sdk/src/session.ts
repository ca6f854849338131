import { AuthService, type SecondFactor, type Session } from "./gen/stoa/auth/v1/auth_pb.js";
import { connect, type Options, type Stoa } from "./stoa.js";

/** Who signs in. */
export interface Credentials {
  /** The handle or the e-mail address. */
  login: string;
  password: string;
  /** What the session is called in a list of them: `laptop`. */
  label?: string;
}

/** A second factor is asked for: what {@link AuthService} takes as `verifySecondFactor`, and what there is. */
export class SecondFactorNeeded extends Error {
  override readonly name = "SecondFactorNeeded";

  constructor(readonly asked: SecondFactor) {
    super("a second factor is asked for");
  }
}

/**
 * Opens a session, and makes all further calls with it.
 *
 * @throws {SecondFactorNeeded} where a password is not enough.
 */
export async function signIn(stoa: Stoa, credentials: Credentials): Promise<Session | undefined> {
  const { token, session, secondFactor } = await stoa.client(AuthService).signIn(credentials);
  if (secondFactor !== undefined) throw new SecondFactorNeeded(secondFactor);
  stoa.token = token;
  return session;
}

/** Ends the session that calls are made with. */
export async function signOut(stoa: Stoa): Promise<void> {
  await stoa.client(AuthService).signOut({});
  stoa.token = undefined;
}

/**
 * Signs in whenever a token is wanted, for {@link Options.renew}: a program that runs for months
 * outlives every session.
 *
 * ```ts
 * const stoa = connect({ url, renew: signingIn({ url }, { login: "ada", password }) });
 * ```
 */
export function signingIn(options: Options, credentials: Credentials): () => Promise<string> {
  // By a connection of its own: the one that wants a token waits until there is one.
  const { renew: _, ...rest } = options;
  return async () => {
    const { token, secondFactor } = await connect(rest).client(AuthService).signIn(credentials);
    if (secondFactor !== undefined) throw new SecondFactorNeeded(secondFactor);
    return token;
  };
}
