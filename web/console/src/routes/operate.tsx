import type { JsonObject } from "@bufbuild/protobuf";
import { useNavigate } from "@tanstack/react-router";

import { Page } from "../frame/page.js";
import { Events } from "../operate/events.js";
import type { Shown } from "../rows/rows.js";
import { type Lists, Part, Parts, useLists } from "./parts.js";

const LISTS: Lists = [
  ["system", "commits"],
  ["system", "jobs"],
  ["system", "subscriptions"],
  ["system", "parked"],
  ["system", "timers"],
  ["system", "settings"],
  ["system", "tenants"],
  ["notify", "mail"],
];

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
  const parts = ["events", ...lists.map(({ name }) => name)];
  return (
    <Page title="Operate" tabs={<Parts place="operate" parts={parts} current={part} />}>
      {part === "events" ? (
        <Events />
      ) : (
        <Part lists={lists} part={part} onOpen={part === "commits" ? story : undefined} {...rest} />
      )}
    </Page>
  );
}
