import { AuthService, type Session } from "@stoa/sdk/auth";
import { Badge, Button } from "@stoa/ui";
import { useQuery } from "@tanstack/react-query";
import { Laptop, Network } from "lucide-react";

import { stoa } from "../node.js";
import { Asked, When } from "../pages/shared.js";
import { say } from "../strings.js";
import { None, OWN, Remove, Row, Section, Used, useAct } from "./row.js";

const auth = stoa.client(AuthService);
const ALL = new Intl.ListFormat(undefined, { type: "conjunction" });

/** Where somebody is signed in, and where from. */
export function Devices() {
  const devices = useQuery({
    queryKey: [OWN, "devices"],
    queryFn: async () => (await auth.listDevices({})).devices,
  });
  const ending = useAct(() => auth.revokeAllSessions({ keepCurrent: true }));
  const { sessions, networks } = say.own;
  return (
    <Asked query={devices}>
      {(devices) => {
        const all = devices.flatMap((device) => device.sessions).sort(inUse);
        return (
          <>
            <Section
              title={sessions.title}
              about={sessions.about}
              error={ending.error}
              tools={
                all.length > 1 ? (
                  <Button small disabled={ending.isPending} onClick={() => ending.mutate()}>
                    {sessions.endOthers}
                  </Button>
                ) : null
              }
            >
              {all.map((session) => (
                <One key={session.id} session={session} />
              ))}
            </Section>
            <Section title={networks.title} about={networks.about}>
              {devices.map(({ id, current, lastSignInTime, sessions }) => (
                <Row
                  key={id}
                  icon={<Network size={16} aria-hidden />}
                  name={
                    <>
                      {sessions[0]?.address || networks.past}
                      {current ? <Badge>{networks.current}</Badge> : null}
                    </>
                  }
                  detail={
                    <>
                      {networks.last} <When time={lastSignInTime} />
                      {`, ${networks.count(sessions.length)}`}
                    </>
                  }
                >
                  {current ? null : (
                    <Remove
                      verb={networks.forget}
                      title={networks.ask(sessions[0]?.address || networks.past)}
                      lead={networks.forgetLead(sessions.length)}
                      act={() => auth.forgetDevice({ id })}
                    />
                  )}
                </Row>
              ))}
              {devices.length === 0 ? <None>{networks.none}</None> : null}
            </Section>
          </>
        );
      }}
    </Asked>
  );
}

function One({ session }: { session: Session }) {
  const { id, label, address, current, lastUseTime, methods } = session;
  const ending = useAct(() => auth.revokeSession({ id }));
  const { sessions } = say.own;
  const by = ALL.format(methods.map((method) => sessions.methods[method] ?? method));
  return (
    <Row
      icon={<Laptop size={16} aria-hidden />}
      name={
        <>
          {label || sessions.unnamed}
          {current ? <Badge>{sessions.current}</Badge> : null}
        </>
      }
      detail={
        <>
          <Used time={lastUseTime} />
          {`, ${sessions.from(address, by)}`}
        </>
      }
      error={ending.error}
    >
      {current ? null : (
        <Button
          small
          aria-label={sessions.endOne(label)}
          disabled={ending.isPending}
          onClick={() => ending.mutate()}
        >
          {sessions.end}
        </Button>
      )}
    </Row>
  );
}

/** This one first, then the one that was used last. */
function inUse(one: Session, other: Session): number {
  if (one.current !== other.current) return one.current ? -1 : 1;
  return Number((other.lastUseTime?.seconds ?? 0n) - (one.lastUseTime?.seconds ?? 0n));
}
