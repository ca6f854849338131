import type { JsonObject } from "@bufbuild/protobuf";
import { Badge, Button, Failed, Field, State } from "@stoa/ui";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useMemo, useState } from "react";

import type { Method } from "../contracts/load.js";
import { type Errors, MessageForm } from "../form/message.js";
import { useKnown } from "../known.js";
import { call, type Failure, failure } from "../node.js";
import { Prose } from "../prose.js";
import { say } from "../strings.js";
import css from "./explore.module.css";
import { ReplyView } from "./reply.js";
import { Who } from "./who.js";

/** A method: what it is, what it is asked, and what came of it. */
export function Call({ method, fill }: { method: Method; fill: JsonObject }) {
  const { contracts, may } = useKnown();
  const queries = useQueryClient();
  const [request, setRequest] = useState<JsonObject>(fill);
  const [key, setKey] = useState("");
  const sent = useMutation({
    mutationFn: () => call(contracts, method, request, { key: key || undefined }),
    // Whoever changed something wants to see it.
    onSuccess: () =>
      method.kind === "query" ? undefined : queries.invalidateQueries({ predicate: isData }),
  });
  const wrong = sent.error ? failure(sent.error) : undefined;
  const errors: Errors = useMemo(
    () => new Map(wrong?.violations.map(({ path, message }) => [path, `${message}.`])),
    [wrong?.violations],
  );
  const isStream = method.desc.methodKind !== "unary";
  const send = (event: FormEvent) => {
    event.preventDefault();
    sent.mutate();
  };
  return (
    <div className={css.work}>
      <header className={css.head}>
        <div className={css.title}>
          <h1>{method.name}</h1>
          <Badge>{method.kind}</Badge>
          <Permission method={method} isGranted={may(method)} />
        </div>
        <p className={css.doc}>
          <Prose text={method.doc} />
        </p>
        <Who method={method} />
      </header>
      <div className={css.sides}>
        <form className={css.form} onSubmit={send} noValidate>
          <MessageForm
            desc={method.desc.input}
            value={request}
            onChange={setRequest}
            path=""
            errors={errors}
          />
          {method.desc.input.fields.length === 0 ? <p>{say.explore.askedNothing}</p> : null}
          {method.kind === "query" || isStream ? null : (
            <details className={css.fold}>
              <summary>{say.explore.key}</summary>
              <Field label={say.explore.keyLabel} help={say.explore.keyHelp}>
                {(ties) => (
                  <input {...ties} value={key} onChange={(event) => setKey(event.target.value)} />
                )}
              </Field>
            </details>
          )}
          <div>
            <Button kind="primary" type="submit" disabled={sent.isPending || isStream}>
              {spaced(method.name)}
            </Button>
          </div>
          {isStream ? <p>{say.explore.stream}</p> : null}
        </form>
        <section className={css.reply} aria-label={say.explore.reply}>
          {wrong ? <Refused failure={wrong} retry={() => sent.mutate()} /> : null}
          <ReplyView method={method} request={request} reply={wrong ? undefined : sent.data} />
        </section>
      </div>
    </div>
  );
}

function Refused({ failure, retry }: { failure: Failure; retry: () => void }) {
  const isMarked = failure.violations.length > 0;
  return (
    <div className={css.refused}>
      {isMarked ? (
        <Failed {...failure} next={say.explore.correct} />
      ) : (
        <Failed {...failure} retry={retry} />
      )}
    </div>
  );
}

/** Whether a query shows what a command may have changed. */
function isData({ queryKey }: { queryKey: readonly unknown[] }): boolean {
  return queryKey[0] !== "known" && queryKey[0] !== "setup";
}

function Permission({ method, isGranted }: { method: Method; isGranted: boolean }) {
  const { permission } = method;
  if (permission === "public") return <Badge>{say.explore.forAll}</Badge>;
  if (permission === "authenticated") return <Badge>{say.explore.forSignedIn}</Badge>;
  return (
    <>
      <Badge>{permission}</Badge>
      <State mood={isGranted ? "good" : "warn"}>
        {isGranted ? say.explore.granted : say.explore.notGranted}
      </State>
    </>
  );
}

/** `CreateTransfer` as `Create transfer`. */
function spaced(name: string): string {
  return name.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
