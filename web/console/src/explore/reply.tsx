import type { JsonObject } from "@bufbuild/protobuf";
import { Badge, Copy, Tabs } from "@stoa/ui";
import { Link } from "@tanstack/react-router";
import { useState } from "react";

import type { Method } from "../contracts/load.js";
import { useKnown } from "../known.js";
import type { Reply } from "../node.js";
import { milliseconds } from "../operate/points.js";
import { Tree } from "../reply/tree.js";
import { say } from "../strings.js";
import css from "./explore.module.css";
import { graphql } from "./graphql.js";
import { curl, python, shell, typescript } from "./snippets.js";

const CHOICE = "stoa.reply";

interface Props {
  method: Method;
  request: JsonObject;
  reply: Reply | undefined;
}

/** A reply, and how a program asks for the same. The last choice is remembered. */
export function ReplyView({ method, request, reply }: Props) {
  const { contracts } = useKnown();
  const [chosen, choose] = useState(() => localStorage.getItem(CHOICE) ?? "reply");
  const select = (id: string) => {
    choose(id);
    localStorage.setItem(CHOICE, id);
  };
  const code = (id: string, title: string, text: string) => ({
    id,
    title,
    content: <Code text={text} />,
  });
  return (
    <Tabs
      label={say.explore.replyTabs}
      selected={chosen}
      onSelect={select}
      tabs={[
        { id: "reply", title: say.explore.reply, content: <Shown method={method} reply={reply} /> },
        code("json", "JSON", JSON.stringify(reply?.json ?? {}, null, 2)),
        code("curl", "curl", curl(method, request)),
        code("cli", "CLI", shell(method, request)),
        code("typescript", "TypeScript", typescript(method, request)),
        code("graphql", "GraphQL", graphql(contracts, method, request)),
        code("python", "Python", python(method, request)),
      ]}
    />
  );
}

function Shown({ method, reply }: { method: Method; reply: Reply | undefined }) {
  if (reply === undefined) return <p className={css.panel}>{say.explore.noReply}</p>;
  return (
    <div className={css.panel}>
      <div className={css.marks}>
        <Badge>{milliseconds(Math.round(reply.took))}</Badge>
        {reply.isReplay ? (
          <Badge title={say.explore.replayTitle}>{say.explore.replay}</Badge>
        ) : null}
        {reply.position && method.kind !== "query" ? (
          <Link to="/operate/commits/$position" params={{ position: reply.position }}>
            {say.explore.commit(reply.position)}
          </Link>
        ) : reply.position ? (
          <Badge title={say.explore.asOfTitle}>{say.explore.asOf(reply.position)}</Badge>
        ) : null}
      </div>
      {method.desc.output.fields.length === 0 ? (
        <p>{say.explore.emptyReply}</p>
      ) : (
        <Tree desc={method.desc.output} value={reply.json as JsonObject} />
      )}
    </div>
  );
}

function Code({ text }: { text: string }) {
  return (
    <div className={css.panel}>
      <div className={css.copy}>
        <Copy text={text} />
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard */}
      <pre className={css.code} tabIndex={0}>
        {text}
      </pre>
    </div>
  );
}
