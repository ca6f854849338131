import { AuthService } from "@stoa/sdk/auth";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { Asking, type Said } from "../form/asking.js";
import { type Asked, nobody, signInByLink } from "../node.js";
import { say } from "../strings.js";
import { choosing, Porch } from "./door.js";
import type { Mailed } from "./mailed.js";
import { SecondFactor } from "./second.js";

/** Where a link by mail leads. To follow it spends nothing: mail programs do that before people do. */
export default function Letter({ link, done }: { link: Mailed; done: () => void }) {
  const queries = useQueryClient();
  const [asked, setAsked] = useState<Asked>();
  const { kind, secret } = link;
  const enter = async () => {
    await queries.resetQueries();
    done();
  };
  const redeem = async ({ newPassword: value = "" }: Said) => {
    if (kind === "signIn") {
      const more = await signInByLink(secret);
      if (more !== undefined) return setAsked(more);
    } else {
      const then = kind === "email" ? { case: kind, value: {} } : { case: kind, value };
      await nobody.client(AuthService).redeem({ secret, then });
    }
    await enter();
  };
  return (
    <Porch>
      {asked !== undefined ? (
        <SecondFactor asked={asked} enter={enter} back={done} />
      ) : (
        <Asking
          {...say.door.mailed[kind]}
          act={redeem}
          questions={kind === "newPassword" ? [choosing("newPassword")] : []}
        />
      )}
    </Porch>
  );
}
