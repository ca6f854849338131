/**
 * Where somebody goes on who signed in: an address below `/oauth2/` of this node, or else the first page. What
 * stands in an address is anybody's to choose, so that it is read as a browser will read it.
 */
export function backTo(to: string, origin: string): string {
  if (!URL.canParse(to, origin)) return "/";
  const address = new URL(to, origin);
  const isOwn = address.origin === origin && address.pathname.startsWith("/oauth2/");
  return isOwn ? address.pathname + address.search : "/";
}
