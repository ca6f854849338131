import { AuthService, type Passkey } from "@stoa/sdk/auth";
import { Badge, Button, Dialog } from "@stoa/ui";
import { useQueryClient } from "@tanstack/react-query";
import { KeyRound } from "lucide-react";
import { useState } from "react";

import { Asking } from "../form/asking.js";
import { stoa } from "../node.js";
import { When } from "../pages/shared.js";
import { hasPasskeys, made } from "../passkey.js";
import { say } from "../strings.js";
import { None, OWN, Remove, Row, Section, Used, useAct } from "./row.js";

const auth = stoa.client(AuthService);

/** Keys that a device holds: added with a name, and taken away. */
export function Passkeys(props: { passkeys: readonly Passkey[]; onAdded: () => void }) {
  const [options, begin] = useState<string>();
  const beginning = useAct(async () => begin((await auth.beginPasskeyRegistration({})).options));
  const { passkeys } = say.own;
  return (
    <Section
      title={passkeys.title}
      about={hasPasskeys() ? passkeys.about : passkeys.unable}
      error={beginning.error}
      tools={
        hasPasskeys() ? (
          <Button small disabled={beginning.isPending} onClick={() => beginning.mutate()}>
            {passkeys.add}
          </Button>
        ) : null
      }
    >
      {props.passkeys.length === 0 ? <None>{passkeys.none}</None> : null}
      {props.passkeys.map(({ id, label, backedUp, createTime, lastUseTime }) => {
        const name = label || passkeys.unnamed;
        return (
          <Row
            key={id}
            icon={<KeyRound size={16} aria-hidden />}
            name={
              <>
                {name}
                {backedUp ? <Badge>{passkeys.synced}</Badge> : null}
              </>
            }
            detail={
              <>
                {passkeys.added} <When time={createTime} />
                {", "}
                <Used time={lastUseTime} />
              </>
            }
          >
            <Remove
              verb={say.own.remove}
              title={passkeys.remove(name)}
              lead={passkeys.removeLead}
              act={() => auth.removePasskey({ id })}
            />
          </Row>
        );
      })}
      {options === undefined ? null : (
        <Adding options={options} onClose={() => begin(undefined)} onAdded={props.onAdded} />
      )}
    </Section>
  );
}

/** The name comes first: what the browser asks then is the last step. */
function Adding(props: { options: string; onClose: () => void; onAdded: () => void }) {
  const { options, onClose, onAdded } = props;
  const queries = useQueryClient();
  const { passkeys } = say.own;
  return (
    <Dialog title={passkeys.add} onClose={onClose}>
      <Asking
        lead={passkeys.addLead}
        verb={passkeys.create}
        isFocused
        questions={[
          { name: "label", label: passkeys.label, help: passkeys.labelHelp, autoComplete: "off" },
        ]}
        act={async ({ label = "" }) => {
          await auth.finishPasskeyRegistration({ label, passkey: await made(options) });
          await queries.invalidateQueries({ queryKey: [OWN] });
          onClose();
          onAdded();
        }}
      />
    </Dialog>
  );
}
