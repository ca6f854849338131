import { AuthService } from "@stoa/sdk/auth";
import { Button } from "@stoa/ui";
import { KeyRound, Mail } from "lucide-react";
import { useRef, useState } from "react";

import { Asking, type Question, type Said } from "../form/asking.js";
import { type Asked, nobody, signIn, signInByPasskey } from "../node.js";
import { chosen, hasOffers, hasPasskeys, signed } from "../passkey.js";
import { say } from "../strings.js";
import css from "./door.module.css";
import { ticketed } from "./mailed.js";
import { Others } from "./others.js";
import { SecondFactor } from "./second.js";
import { Way } from "./way.js";

/** What may be there where nobody says: each of them is shown, and one will do. */
const ANY = ["FACTOR_KIND_TOTP", "FACTOR_KIND_PASSKEY", "FACTOR_KIND_RECOVERY_CODE"];

interface Props {
  /** Told that somebody is signed in. */
  enter: () => Promise<void>;
}

/** What somebody is asked at the door. */
type At = "password" | "link" | "reset" | "sent";

/** Every way in that the node has. None of them tells whether there is such an account. */
export function SignIn({ enter }: Props) {
  const [at, go] = useState<At>("password");
  const [asked, setAsked] = useState<Asked | undefined>(() => {
    const ticket = ticketed(location.hash);
    return ticket === undefined ? undefined : { ticket, kinds: ANY };
  });
  const [login, setLogin] = useState("");
  const proceed = async (more: Asked | undefined) => {
    if (more === undefined) await enter();
    else setAsked(more);
  };
  const back = () => {
    history.replaceState(null, "", location.pathname + location.search);
    setAsked(undefined);
    go("password");
  };
  if (asked !== undefined) return <SecondFactor asked={asked} enter={enter} back={back} />;
  if (at === "sent") return <Sent back={back} />;
  if (at !== "password") {
    const send = async (login: string) => {
      const auth = nobody.client(AuthService);
      await (at === "link"
        ? auth.requestMagicLink({ login })
        : auth.requestPasswordReset({ login }));
      go("sent");
    };
    return <Letters key={at} at={at} login={login} send={send} back={back} />;
  }
  const leave = (to: At) => (login: string) => {
    setLogin(login);
    go(to);
  };
  return (
    <Password login={login} proceed={proceed} onLink={leave("link")} onReset={leave("reset")} />
  );
}

interface PasswordProps {
  login: string;
  proceed: (asked: Asked | undefined) => Promise<void>;
  onLink: (login: string) => void;
  onReset: (login: string) => void;
}

/** By name and password; other ways stand below. */
function Password({ login, proceed, onLink, onReset }: PasswordProps) {
  const isOffered = useRef(false);
  /** A browser shows the passkeys that it has beside the names, once somebody comes to the field. */
  const offer = async () => {
    if (isOffered.current || !(await hasOffers())) return;
    isOffered.current = true;
    const passkey = await chosen(await begin());
    if (passkey !== undefined) await proceed(await signInByPasskey(passkey));
  };
  const forgot = ({ login = "" }: Said) => (
    <button type="button" className={css.link} onClick={() => onReset(login)}>
      {say.door.forgot}
    </button>
  );
  return (
    <Asking
      title={say.door.signIn}
      verb={say.door.signIn}
      act={async ({ login = "", password = "" }) => proceed(await signIn(login, password))}
      questions={[
        {
          ...named(login),
          autoComplete: "username webauthn",
          onFocus: () => void offer().catch(() => {}),
        },
        {
          name: "password",
          label: say.door.password,
          type: "password",
          autoComplete: "current-password",
          help: forgot,
        },
      ]}
    >
      {({ login = "" }) => (
        <div className={css.ways}>
          <p className={css.or}>{say.door.or}</p>
          {hasPasskeys() ? (
            <Way
              icon={KeyRound}
              act={async () => proceed(await signInByPasskey(await signed(await begin())))}
            >
              {say.door.passkey}
            </Way>
          ) : null}
          <Button onClick={() => onLink(login)}>
            <Mail size={16} aria-hidden />
            {say.door.link}
          </Button>
          <Others />
        </div>
      )}
    </Asking>
  );
}

async function begin(): Promise<string> {
  return (await nobody.client(AuthService).beginPasskeySignIn({})).options;
}

interface LettersProps {
  at: "link" | "reset";
  login: string;
  send: (login: string) => Promise<void>;
  back: () => void;
}

/** Has a link sent, that signs in or sets another password. */
function Letters({ at, login, send, back }: LettersProps) {
  const { title, lead, verb } = say.door.letters[at];
  return (
    <Asking
      title={title}
      lead={lead}
      verb={verb}
      isFocused
      act={({ login = "" }) => send(login)}
      questions={[{ ...named(login), autoComplete: "username" }]}
    >
      <Back back={back} />
    </Asking>
  );
}

function named(login: string): Question {
  return { name: "login", label: say.door.login, value: login };
}

/** The same, whether there is anybody to send it to or not. */
function Sent({ back }: { back: () => void }) {
  return (
    <div className={css.box}>
      <h1>{say.door.sent}</h1>
      <p className={css.lead} role="status">
        {say.door.sentLead}
      </p>
      <Back back={back} />
    </div>
  );
}

export function Back({ back }: { back: () => void }) {
  return (
    <Button kind="quiet" onClick={back}>
      {say.door.back}
    </Button>
  );
}
