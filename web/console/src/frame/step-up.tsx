import { AuthService } from "@stoa/sdk/auth";
import { Dialog } from "@stoa/ui";
import { useQuery } from "@tanstack/react-query";
import { KeyRound } from "lucide-react";

import { Way } from "../door/way.js";
import { Asking } from "../form/asking.js";
import { stoa } from "../node.js";
import { Asked } from "../pages/shared.js";
import { hasPasskeys, signed } from "../passkey.js";
import type { Told } from "../proof.js";
import { say } from "../strings.js";

const auth = stoa.client(AuthService);

/**
 * Asks whoever is there to prove again who they are, by the strongest that they have, for a call that waits
 * for it.
 */
export default function StepUp({ told }: { told: Told }) {
  const factors = useQuery({
    queryKey: ["proof"],
    queryFn: () => auth.listFactors({}),
    staleTime: 0,
    gcTime: 0,
  });
  return (
    <Dialog title={say.proof.title} lead={say.proof.lead} onClose={() => told(false)}>
      <Asked query={factors} lines={2}>
        {({ totp, passkeys }) => <By hasCodes={totp} hasKeys={passkeys.length > 0} told={told} />}
      </Asked>
    </Dialog>
  );
}

function By({ hasCodes, hasKeys, told }: { hasCodes: boolean; hasKeys: boolean; told: Told }) {
  const passkey = async () => {
    const { options } = await auth.beginPasskeySignIn({});
    await auth.stepUp({ proof: { case: "passkey", value: await signed(options) } });
    told(true);
  };
  const by = hasPasskeys() ? (
    <Way icon={KeyRound} kind={hasCodes ? "plain" : "primary"} act={passkey}>
      {say.door.passkey}
    </Way>
  ) : (
    <p>{say.proof.noPasskey}</p>
  );
  return (
    <>
      {hasCodes || !hasKeys ? (
        <Asking
          verb={say.proof.verb}
          isFocused
          questions={[hasCodes ? CODE : PASSWORD]}
          act={async ({ code = "", password = "" }) => {
            const proof = hasCodes
              ? ({ case: "code", value: code.replaceAll(" ", "") } as const)
              : ({ case: "password", value: password } as const);
            await auth.stepUp({ proof });
            told(true);
          }}
        />
      ) : null}
      {hasKeys ? by : null}
    </>
  );
}

const CODE = {
  name: "code",
  label: say.door.secondCode,
  help: say.own.totp.codeHelp,
  autoComplete: "one-time-code",
  inputMode: "numeric",
} as const;

const PASSWORD = {
  name: "password",
  label: say.door.password,
  help: say.proof.noPassword,
  type: "password",
  autoComplete: "current-password",
} as const;
