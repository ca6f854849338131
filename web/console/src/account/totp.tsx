import { AuthService } from "@stoa/sdk/auth";
import { Button, Copy, Dialog, State } from "@stoa/ui";
import { useQueryClient } from "@tanstack/react-query";
import { Smartphone } from "lucide-react";
import { useState } from "react";

import { Asking } from "../form/asking.js";
import { stoa } from "../node.js";
import { say } from "../strings.js";
import css from "./account.module.css";
import { Qr } from "./qr.js";
import { OWN, Remove, Row, useAct } from "./row.js";

const auth = stoa.client(AuthService);

interface Secret {
  secret: string;
  uri: string;
}

interface Props {
  isOn: boolean;
  /** Told that codes are asked for from now on. */
  onConfirmed: () => void;
}

/** Codes of a program: set up, replaced, taken away. */
export function Totp({ isOn, onConfirmed }: Props) {
  const [shown, show] = useState<Secret>();
  const enrolling = useAct(async () => show(await auth.enrolTotp({})));
  const { totp } = say.own;
  return (
    <Row
      icon={<Smartphone size={16} aria-hidden />}
      name={
        <>
          {totp.name}
          <State mood={isOn ? "good" : "plain"}>{isOn ? totp.on : totp.off}</State>
        </>
      }
      detail={totp.detail}
      error={enrolling.error}
    >
      <Button small disabled={enrolling.isPending} onClick={() => enrolling.mutate()}>
        {isOn ? totp.replace : totp.setUp}
      </Button>
      {isOn ? (
        <Remove
          verb={say.own.remove}
          title={totp.remove}
          lead={totp.removeLead}
          act={() => auth.removeTotp({})}
        />
      ) : null}
      {shown === undefined ? null : (
        <Enrol secret={shown} onClose={() => show(undefined)} onConfirmed={onConfirmed} />
      )}
    </Row>
  );
}

/** Shows a new secret once, until a code proves that the program has it. */
function Enrol(props: { secret: Secret; onClose: () => void; onConfirmed: () => void }) {
  const { secret, onClose, onConfirmed } = props;
  const queries = useQueryClient();
  const { totp } = say.own;
  return (
    <Dialog title={totp.enrol} isDismissable={false} onClose={onClose}>
      <div className={css.scan}>
        <Qr text={secret.uri} label={totp.qr} />
        <p className={css.lead}>{totp.scan}</p>
      </div>
      <div className={css.secret}>
        <code>{grouped(secret.secret)}</code>
        <Copy text={secret.secret} label={totp.copy} />
      </div>
      <Asking
        verb={totp.confirm}
        questions={[
          {
            name: "code",
            label: say.door.secondCode,
            help: totp.codeHelp,
            autoComplete: "one-time-code",
            inputMode: "numeric",
          },
        ]}
        act={async ({ code = "" }) => {
          await auth.confirmTotp({ code: code.replaceAll(" ", "") });
          await queries.invalidateQueries({ queryKey: [OWN] });
          onClose();
          onConfirmed();
        }}
      />
    </Dialog>
  );
}

/** In fours, as one types it. */
function grouped(secret: string): string {
  return secret.replaceAll(/.{4}(?=.)/g, "$& ");
}
