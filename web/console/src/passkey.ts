import {
  browserSupportsWebAuthn,
  browserSupportsWebAuthnAutofill,
  startAuthentication,
  startRegistration,
} from "@simplewebauthn/browser";

/** Whether a passkey can be asked for here. Browsers keep them for a name, and for no address of digits. */
export function hasPasskeys(): boolean {
  return browserSupportsWebAuthn() && !/^[\d.]+$|^\[/.test(location.hostname);
}

/** Has the browser's user make a passkey, as the node wants it. */
export async function made(options: string): Promise<string> {
  return JSON.stringify(await startRegistration({ optionsJSON: JSON.parse(options) }));
}

/** Has the browser's user prove themselves by a passkey. */
export async function signed(options: string): Promise<string> {
  return JSON.stringify(await startAuthentication({ optionsJSON: JSON.parse(options) }));
}

/** Whether a browser offers passkeys beside the names that it knows for a field. */
export async function hasOffers(): Promise<boolean> {
  return hasPasskeys() && (await browserSupportsWebAuthnAutofill());
}

/** The same as {@link signed}, by the passkey that is chosen in such a field; nothing if none is. */
export async function chosen(options: string): Promise<string | undefined> {
  const asked = { optionsJSON: JSON.parse(options), useBrowserAutofill: true };
  try {
    return JSON.stringify(await startAuthentication(asked));
  } catch {
    // Whoever signs in otherwise, or goes away, has chosen none.
    return undefined;
  }
}
