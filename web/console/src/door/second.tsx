import { AuthService } from "@stoa/sdk/auth";
import { KeyRound } from "lucide-react";

import { Asking } from "../form/asking.js";
import { type Asked, nobody, verify } from "../node.js";
import { hasPasskeys, signed } from "../passkey.js";
import { say } from "../strings.js";
import css from "./door.module.css";
import { Back } from "./sign-in.js";
import { Way } from "./way.js";

interface Props {
  asked: Asked;
  enter: () => Promise<void>;
  back: () => void;
}

/** Asks for a second factor behind a password or a link: by whichever there is. */
export function SecondFactor({ asked: { ticket, kinds }, enter, back }: Props) {
  const has = (kind: string) => kinds.includes(`FACTOR_KIND_${kind}`);
  const hasCodes = has("TOTP");
  const isAble = has("PASSKEY") && hasPasskeys();
  const passkey = async () => {
    const { options } = await nobody.client(AuthService).beginPasskeySignIn({ ticket });
    await verify(ticket, { passkey: await signed(options) });
    await enter();
  };
  const by = isAble ? (
    <Way icon={KeyRound} kind={hasCodes ? "plain" : "primary"} act={passkey}>
      {say.door.passkey}
    </Way>
  ) : null;
  const help = hasCodes ? say.door.codeOrRecovery : say.door.recoveryHelp;
  return (
    <>
      {hasCodes ? null : (
        <>
          <h1>{say.door.second}</h1>
          <p className={css.lead}>{say.door.secondPasskey}</p>
          {by}
        </>
      )}
      {hasCodes || has("RECOVERY_CODE") ? (
        <Asking
          {...(hasCodes ? { title: say.door.second } : {})}
          isFocused={hasCodes}
          verb={say.door.secondVerb}
          act={async ({ code = "" }) => {
            const said = code.trim();
            await verify(ticket, /^[0-9]{6}$/.test(said) ? { code: said } : { recoveryCode: said });
            await enter();
          }}
          questions={[
            {
              name: "code",
              label: hasCodes ? say.door.secondCode : say.door.recoveryCode,
              help,
              autoComplete: "one-time-code",
            },
          ]}
        />
      ) : null}
      {hasCodes ? by : null}
      <Back back={back} />
    </>
  );
}
