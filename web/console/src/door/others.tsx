import { OidcService } from "@stoa/sdk/oidc";
import { Button } from "@stoa/ui";
import { useQuery } from "@tanstack/react-query";

import { nobody } from "../node.js";
import { say } from "../strings.js";

/** A button for each provider of another house that the node signs in with; nothing where there is none. */
export function Others() {
  const { data } = useQuery({
    queryKey: ["signInProviders"],
    queryFn: () => nobody.client(OidcService).listSignInProviders({}),
    retry: false,
  });
  const back = new URLSearchParams(location.search).get("return") ?? "/";
  return data?.providers.map(({ providerId, displayName, path }) => (
    <Button
      key={providerId}
      onClick={() => location.assign(`${path}&return=${encodeURIComponent(back)}`)}
    >
      {say.door.signInWith(displayName)}
    </Button>
  ));
}
