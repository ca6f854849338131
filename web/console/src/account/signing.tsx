import { AuthService } from "@stoa/sdk/auth";
import { type User, UsersService } from "@stoa/sdk/users";
import { Button, Dialog, State } from "@stoa/ui";
import { useQuery } from "@tanstack/react-query";
import { Lock, Mail } from "lucide-react";
import { useState } from "react";

import { Asking } from "../form/asking.js";
import { Strength } from "../form/strength.js";
import { useKnown } from "../known.js";
import { stoa } from "../node.js";
import { Asked } from "../pages/shared.js";
import { say } from "../strings.js";
import { Passkeys } from "./passkeys.js";
import { Codes, Recovery } from "./recovery.js";
import { OWN, Row, Section, useAct } from "./row.js";
import { Totp } from "./totp.js";

const auth = stoa.client(AuthService);

/** Whoever is signed in. */
export function useMe() {
  const { userId } = useKnown();
  return useQuery({
    queryKey: [OWN, "me"],
    queryFn: async () => {
      const users = stoa.client(UsersService);
      const [{ user }, factors] = await Promise.all([
        users.getUser({ id: userId }),
        auth.listFactors({}),
      ]);
      return { ...factors, user };
    },
  });
}

/** By what somebody signs in, and what is asked for besides. */
export function Signing() {
  const me = useMe();
  const [codes, show] = useState<readonly string[]>();
  const draw = useAct(async () => show((await auth.generateRecoveryCodes({})).codes));
  return (
    <Asked query={me}>
      {({ user, totp, passkeys, recoveryCodesLeft: left, emailVerified }) => {
        // Whoever comes to a second factor wants to have something for the day it is lost.
        const added = () => (left === 0 ? draw.mutate() : undefined);
        return (
          <>
            <Section title={say.own.first} about={say.own.firstAbout}>
              <Address user={user} isVerified={emailVerified} />
              <Password />
            </Section>
            <Section title={say.own.second} about={say.own.secondAbout} error={draw.error}>
              <Totp isOn={totp} onConfirmed={added} />
              <Recovery left={left} isOf={totp || passkeys.length > 0} onDrawn={show} />
            </Section>
            <Passkeys passkeys={passkeys} onAdded={added} />
            {codes === undefined ? null : (
              <Codes codes={codes} of={user?.handle ?? ""} onClose={() => show(undefined)} />
            )}
          </>
        );
      }}
    </Asked>
  );
}

function Address({ user, isVerified }: { user: User | undefined; isVerified: boolean }) {
  const sending = useAct(() => auth.requestEmailVerification({}));
  const { address } = say.own;
  return (
    <Row
      icon={<Mail size={16} aria-hidden />}
      name={
        <>
          {user?.email}
          <State mood={isVerified ? "good" : "warn"}>
            {isVerified ? address.verified : address.unverified}
          </State>
        </>
      }
      detail={<span role="status">{sending.isSuccess ? address.sent : address.detail}</span>}
      error={sending.error}
    >
      {isVerified ? null : (
        <Button small disabled={sending.isPending} onClick={() => sending.mutate()}>
          {address.send}
        </Button>
      )}
    </Row>
  );
}

function Password() {
  const [isAsked, ask] = useState(false);
  const [isChanged, setChanged] = useState(false);
  const { password } = say.own;
  const change = async (said: { readonly [name: string]: string | undefined }) => {
    const { current_password: currentPassword = "", new_password: newPassword = "" } = said;
    await auth.changePassword({ currentPassword, newPassword });
    setChanged(true);
    ask(false);
  };
  return (
    <Row
      icon={<Lock size={16} aria-hidden />}
      name={password.name}
      detail={<span role="status">{isChanged ? password.changed : password.detail}</span>}
    >
      <Button small onClick={() => ask(true)}>
        {password.change}
      </Button>
      {isAsked ? (
        <Dialog title={password.title} lead={password.detail} onClose={() => ask(false)}>
          <Asking
            verb={password.verb}
            isFocused
            act={change}
            questions={[
              {
                name: "current_password",
                label: password.current,
                type: "password",
                autoComplete: "current-password",
              },
              {
                name: "new_password",
                label: password.another,
                follow: (value) => <Strength password={value} />,
                type: "password",
                autoComplete: "new-password",
              },
            ]}
          />
        </Dialog>
      ) : null}
    </Row>
  );
}
