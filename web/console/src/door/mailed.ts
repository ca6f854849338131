/** What a link by mail brings behind its `#`, which no log sees: what it is for, and what it is spent with. */
export interface Mailed {
  kind: "signIn" | "newPassword" | "email";
  secret: string;
}

export function mailed(hash: string): Mailed | undefined {
  const [, kind, secret = ""] = /^#(signIn|newPassword|email)=(stoa_l_\w+)$/.exec(hash) ?? [];
  return kind === undefined ? undefined : { kind: kind as Mailed["kind"], secret };
}
