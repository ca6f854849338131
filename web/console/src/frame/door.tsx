import { connect } from "@stoa/sdk";
import { AuthService } from "@stoa/sdk/auth";
import { OidcService } from "@stoa/sdk/oidc";
import { Button, Failed, Field } from "@stoa/ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";

import { type Failure, failure, signIn, signInByLink, verify } from "../node.js";
import { say } from "../strings.js";
import css from "./door.module.css";

/** Called by whoever is not signed in. */
const auth = connect({ url: location.origin }).client(AuthService);
const oidc = connect({ url: location.origin }).client(OidcService);

/** Where nobody is signed in: the first administrator is made, or somebody signs in. */
export function Door() {
  const setup = useQuery({ queryKey: ["setup"], queryFn: () => auth.getSetup({}), retry: false });
  return (
    <main className={css.door}>
      <div className={css.box}>
        <div className={css.mark}>
          <img src="/mark.svg" alt="" width={20} height={20} />
          {say.frame.product}
        </div>
        {setup.error ? (
          <Failed {...failure(setup.error)} retry={() => void setup.refetch()} />
        ) : setup.data === undefined ? null : setup.data.open ? (
          <SetUp />
        ) : (
          <SignIn />
        )}
      </div>
    </main>
  );
}

/** The code that the node printed may stand behind the `#` of the address, which no log sees. */
function SetUp() {
  const [linked] = useState(() => location.hash.slice(1));
  const code: Question = {
    name: "code",
    label: say.frame.code,
    help: say.frame.codeHelp,
    autoComplete: "off",
  };
  return (
    <Asking
      title={say.frame.setUp}
      lead={say.frame.setUpLead}
      verb={say.frame.setUpVerb}
      act={async (said) => {
        const { handle = "", email = "", password = "" } = said;
        await auth.setUp({ code: said.code ?? linked, handle, email, password });
        history.replaceState(null, "", "/");
        await signIn(handle, password);
      }}
      questions={[
        ...(linked === "" ? [code] : []),
        {
          name: "handle",
          label: say.frame.handle,
          help: say.frame.handleHelp,
          autoComplete: "username",
        },
        { name: "email", label: say.frame.email, type: "email", autoComplete: "email" },
        {
          name: "password",
          label: say.frame.password,
          help: say.frame.passwordHelp,
          type: "password",
          autoComplete: "new-password",
        },
      ]}
    />
  );
}

/** What whoever comes from a provider and has a second factor brings behind the `#`, which no log sees. */
function ticketOf(hash: string): string | undefined {
  return /^#ticket=(stoa_f_\w+)$/.exec(hash)?.[1];
}

function SignIn() {
  const [ticket, setTicket] = useState(() => ticketOf(location.hash));
  if (ticket !== undefined) {
    const done = () => history.replaceState(null, "", location.pathname + location.search);
    return <SecondFactor ticket={ticket} done={done} />;
  }
  return (
    <>
      <Password asked={setTicket} />
      <Elsewhere />
    </>
  );
}

/** Where else somebody may have an account that they sign in with. */
function Elsewhere() {
  const queryFn = () => oidc.listSignInProviders({});
  const { data } = useQuery({ queryKey: ["signInProviders"], queryFn, retry: false });
  const to = new URLSearchParams(location.search).get("return") ?? "/";
  return data?.providers.map(({ providerId, displayName, path }) => (
    <a key={providerId} href={`${path}&return=${encodeURIComponent(to)}`}>
      {say.frame.signInWith(displayName)}
    </a>
  ));
}

function Password({ asked }: { asked: (ticket: string | undefined) => void }) {
  return (
    <Asking
      key="password"
      title={say.frame.signIn}
      verb={say.frame.signIn}
      act={async ({ login = "", password = "" }) => {
        const ticket = await signIn(login, password);
        asked(ticket);
        return ticket !== undefined;
      }}
      questions={[
        { name: "login", label: say.frame.login, autoComplete: "username" },
        {
          name: "password",
          label: say.frame.password,
          type: "password",
          autoComplete: "current-password",
        },
      ]}
    />
  );
}

/** Asks for a code behind a password or a link. */
function SecondFactor({ ticket, done }: { ticket: string; done?: () => void }) {
  return (
    <Asking
      key="code"
      title={say.frame.secondFactor}
      verb={say.frame.secondFactorVerb}
      act={async ({ code = "" }) => {
        await verify(ticket, code.trim());
        done?.();
      }}
      questions={[
        {
          name: "code",
          label: say.frame.secondFactorCode,
          help: say.frame.secondFactorHelp,
          autoComplete: "one-time-code",
        },
      ]}
    />
  );
}

/** What a link by mail brings behind its `#`, which no log sees: what it is for, and what it is spent with. */
export interface Mailed {
  kind: "signIn" | "newPassword" | "email";
  secret: string;
}

export function mailed(hash: string): Mailed | undefined {
  const [, kind, secret = ""] = /^#(signIn|newPassword|email)=(stoa_l_\w+)$/.exec(hash) ?? [];
  return kind === undefined ? undefined : { kind: kind as Mailed["kind"], secret };
}

/** Where a link by mail leads. To follow it spends nothing: mail programs do that before people do. */
export function Letter({ link, done }: { link: Mailed; done: () => void }) {
  const [ticket, setTicket] = useState<string>();
  const { kind, secret } = link;
  const redeem = async (said: Record<string, string>) => {
    if (kind === "signIn") {
      const asked = await signInByLink(secret);
      setTicket(asked);
      if (asked !== undefined) return true;
    } else {
      const value = said.newPassword ?? "";
      await auth.redeem({
        secret,
        // biome-ignore lint/suspicious/noThenProperty: the field of the contract is called so
        then: kind === "email" ? { case: kind, value: {} } : { case: kind, value },
      });
    }
    done();
    return false;
  };
  const password: Question = {
    name: "newPassword",
    label: say.frame.password,
    help: say.frame.passwordHelp,
    type: "password",
    autoComplete: "new-password",
  };
  return (
    <main className={css.door}>
      <div className={css.box}>
        {ticket !== undefined ? (
          <SecondFactor ticket={ticket} done={done} />
        ) : (
          <Asking
            key="letter"
            title={say.frame.letters[kind].title}
            lead={say.frame.letters[kind].lead}
            verb={say.frame.letters[kind].verb}
            act={redeem}
            questions={kind === "newPassword" ? [password] : []}
          />
        )}
      </div>
    </main>
  );
}

interface Question {
  /** The field of the request. */
  name: string;
  label: string;
  help?: string;
  type?: "text" | "email" | "password";
  autoComplete: string;
}

interface Props {
  title: string;
  lead?: string;
  verb: string;
  questions: Question[];
  /** Gives `true` where more is asked. */
  act: (said: Record<string, string>) => Promise<unknown>;
}

/** Asks, and says at each question what is wrong with the answer. */
function Asking({ title, lead, verb, questions, act }: Props) {
  const queries = useQueryClient();
  const [said, setSaid] = useState<Record<string, string>>({});
  const [wrong, setWrong] = useState<Failure>();
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setWrong(undefined);
    try {
      if ((await act(said)) !== true) await queries.resetQueries();
    } catch (thrown) {
      setWrong(failure(thrown));
    }
    setBusy(false);
  };
  const errorOf = (name: string) => {
    const violation = wrong?.violations.find(({ path }) => path === name);
    return violation && `${capital(violation.message)}.`;
  };
  return (
    <form className={css.box} onSubmit={(event) => void submit(event)} noValidate>
      <h1>{title}</h1>
      {lead ? <p className={css.lead}>{lead}</p> : null}
      {questions.map(({ name, label, help, type = "text", autoComplete }) => (
        <Field key={name} label={label} help={help} error={errorOf(name)}>
          {(ties) => (
            <input
              {...ties}
              type={type}
              autoComplete={autoComplete}
              value={said[name] ?? ""}
              onChange={(event) => setSaid({ ...said, [name]: event.target.value })}
            />
          )}
        </Field>
      ))}
      {wrong ? (
        <Failed
          title={wrong.title}
          next={wrong.violations.length > 0 ? say.explore.correct : wrong.next}
          reason={wrong.reason}
        />
      ) : null}
      <Button kind="primary" type="submit" disabled={isBusy}>
        {verb}
      </Button>
    </form>
  );
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
