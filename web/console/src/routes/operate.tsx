import type { JsonObject } from "@bufbuild/protobuf";
import { useNavigate } from "@tanstack/react-router";

import { Page } from "../frame/page.js";
import { Events } from "../operate/events.js";
import { Jobs } from "../operate/jobs.js";
import { Load } from "../operate/load.js";
import { Logs } from "../operate/logs.js";
import { NodePage } from "../operate/node.js";
import { ParkedEvents } from "../operate/parked.js";
import type { Span } from "../operate/span.js";
import type { Shown } from "../rows/rows.js";
import { say } from "../strings.js";
import { type Lists, Part, Parts, useLists } from "./parts.js";

const LISTS: Lists = [
  ["system", "commits"],
  ["system", "subscriptions"],
  ["system", "timers"],
  ["system", "settings"],
  ["system", "tenants"],
  ["notify", "mail"],
];

/** Pages of this place that are no lists made of contracts. */
const PAGES = ["load", "events", "logs", "jobs", "parked", "node"];

function Places({ current }: { current: string }) {
  const lists = useLists(LISTS).map(({ name }) => name);
  return <Parts place="operate" parts={[...PAGES, ...lists]} current={current} />;
}

/** What the node did of late. */
export function LoadPage(props: { span: Span; onSpan: (span: Span) => void }) {
  return (
    <Page title={say.frame.operate} tabs={<Places current="load" />}>
      <Load {...props} />
    </Page>
  );
}

/** What the node does, and what waits for somebody. */
export function OperatePage({
  part,
  ...rest
}: {
  part: string;
  shown: Shown;
  onShow: (shown: Shown) => void;
}) {
  const lists = useLists(LISTS);
  const navigate = useNavigate();
  const story = ({ position }: JsonObject) =>
    void navigate({
      to: "/operate/commits/$position",
      params: { position: String(position) },
    });
  return (
    <Page title={say.frame.operate} tabs={<Places current={part} />}>
      {part === "events" ? (
        <Events
          words={rest.shown.filter?.words}
          onWords={(words) => rest.onShow(words ? { filter: { words } } : {})}
        />
      ) : part === "logs" ? (
        <Logs {...rest} />
      ) : part === "jobs" ? (
        <Jobs {...rest} />
      ) : part === "parked" ? (
        <ParkedEvents />
      ) : part === "node" ? (
        <NodePage />
      ) : (
        <Part lists={lists} part={part} onOpen={part === "commits" ? story : undefined} {...rest} />
      )}
    </Page>
  );
}
