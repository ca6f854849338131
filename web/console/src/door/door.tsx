import { AuthService } from "@stoa/sdk/auth";
import { Failed } from "@stoa/ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";

import { Asking, type Question } from "../form/asking.js";
import { Strength } from "../form/strength.js";
import { failure, nobody, signIn } from "../node.js";
import { say } from "../strings.js";
import css from "./door.module.css";
import { SignIn } from "./sign-in.js";

/** Where nobody is signed in: the first administrator is made, or somebody signs in. */
export default function Door() {
  const queries = useQueryClient();
  const auth = nobody.client(AuthService);
  const setup = useQuery({ queryKey: ["setup"], queryFn: () => auth.getSetup({}), retry: false });
  const enter = () => {
    // What was brought is spent.
    history.replaceState(null, "", location.pathname + location.search);
    return queries.resetQueries();
  };
  return (
    <Porch>
      {setup.error ? (
        <Failed {...failure(setup.error)} retry={() => void setup.refetch()} />
      ) : setup.data === undefined ? null : setup.data.open ? (
        <SetUp enter={enter} />
      ) : (
        <SignIn enter={enter} />
      )}
    </Porch>
  );
}

/** What stands before the pages: one thing to do, under the name of the house. */
export function Porch({ children }: { children: ReactNode }) {
  return (
    <main className={css.door}>
      <div className={css.box}>
        <div className={css.mark}>
          <img src="/mark.svg" alt="" width={20} height={20} />
          {say.frame.product}
        </div>
        {children}
      </div>
    </main>
  );
}

/** A password that is chosen. */
export function choosing(name: string): Question {
  return {
    name,
    label: say.door.password,
    follow: (value) => <Strength password={value} />,
    type: "password",
    autoComplete: "new-password",
  };
}

/** The code that the node printed may stand behind the `#` of the address, which no log sees. */
function SetUp({ enter }: { enter: () => Promise<void> }) {
  const [linked] = useState(() => location.hash.slice(1));
  const { code, codeHelp, handle, handleHelp, email } = say.door;
  const coded: Question = { name: "code", label: code, help: codeHelp, autoComplete: "off" };
  return (
    <Asking
      title={say.door.setUp}
      lead={say.door.setUpLead}
      verb={say.door.setUpVerb}
      act={async (said) => {
        const { handle = "", email = "", password = "" } = said;
        const request = { code: said.code ?? linked, handle, email, password };
        await nobody.client(AuthService).setUp(request);
        await signIn(handle, password);
        await enter();
      }}
      questions={[
        ...(linked === "" ? [coded] : []),
        { name: "handle", label: handle, help: handleHelp, autoComplete: "username" },
        { name: "email", label: email, type: "email", autoComplete: "email" },
        choosing("password"),
      ]}
    />
  );
}
