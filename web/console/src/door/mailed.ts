/** What a link by mail brings behind its `#`, which no log sees: what it is for, and what it is spent with. */
export interface Mailed {
  kind: "signIn" | "newPassword" | "email";
  secret: string;
}

/** What stands behind the `#` of whoever proved something elsewhere, and has to prove more here. */
export function ticketed(hash: string): string | undefined {
  return /^#ticket=(stoa_f_\w+)$/.exec(hash)?.[1];
}

export function mailed(hash: string): Mailed | undefined {
  const [, kind, secret = ""] = /^#(signIn|newPassword|email)=(stoa_l_\w+)$/.exec(hash) ?? [];
  return kind === undefined ? undefined : { kind: kind as Mailed["kind"], secret };
}
