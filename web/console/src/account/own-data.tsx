import { SystemService } from "@stoa/sdk/system";
import { Button, Dialog, Failed } from "@stoa/ui";
import { Download, Trash2 } from "lucide-react";
import { useState } from "react";

import { Asking } from "../form/asking.js";
import { failure, stoa } from "../node.js";
import { save } from "../rows/export.js";
import { say } from "../strings.js";
import { Row, Section, useAct } from "./row.js";
import { useMe } from "./signing.js";

const system = stoa.client(SystemService);

/** What a node keeps about somebody: to take along, and to have erased. */
export function OwnData() {
  const me = useMe();
  const handle = me.data?.user?.handle ?? "";
  const { data } = say.own;
  if (me.error) return <Failed {...failure(me.error)} retry={() => void me.refetch()} />;
  return (
    <Section title={data.title} about={data.about}>
      <Take handle={handle} />
      <Leave handle={handle} />
    </Section>
  );
}

function Take({ handle }: { handle: string }) {
  const [told, tell] = useState("");
  const { data } = say.own;
  const taking = useAct(async () => {
    const { tables } = await system.listPersonalTables({});
    const all: { [table: string]: unknown[] } = {};
    for (const [place, { name }] of tables.entries()) {
      tell(data.taking(place + 1, tables.length));
      all[name] = await rowsOf(name);
    }
    save(`${handle}.json`, "application/json", JSON.stringify(all, null, 2));
    tell(data.taken(Object.values(all).flat().length));
  });
  return (
    <Row
      icon={<Download size={16} aria-hidden />}
      name={data.take}
      detail={<span role="status">{told || data.takeDetail}</span>}
      error={taking.error}
    >
      <Button small disabled={taking.isPending} onClick={() => taking.mutate()}>
        {data.takeVerb}
      </Button>
    </Row>
  );
}

/** All rows of a table that are about whoever is signed in. */
async function rowsOf(table: string): Promise<unknown[]> {
  const found: unknown[] = [];
  for (let pageToken = ""; ; ) {
    const page = await system.exportSelf({ table, pageSize: 1000, pageToken });
    found.push(...page.rows.map((row) => JSON.parse(row) as unknown));
    if (page.nextPageToken === "") return found;
    pageToken = page.nextPageToken;
  }
}

function Leave({ handle }: { handle: string }) {
  const [isAsked, ask] = useState(false);
  const { data } = say.own;
  return (
    <Row icon={<Trash2 size={16} aria-hidden />} name={data.leave} detail={data.leaveDetail}>
      <Button small kind="danger" onClick={() => ask(true)}>
        {data.leave}
      </Button>
      {isAsked ? (
        <Dialog title={data.leaveTitle} onClose={() => ask(false)}>
          <Asking
            lead={data.leaveLead}
            verb={data.leaveVerb}
            kind="danger"
            isFocused
            isReady={({ typed }) => handle !== "" && typed === handle}
            questions={[
              {
                name: "typed",
                label: data.typed,
                help: data.typedHelp(handle),
                autoComplete: "off",
              },
            ]}
            act={async () => {
              await system.eraseSelf({});
              location.assign("/");
            }}
          />
        </Dialog>
      ) : null}
    </Row>
  );
}
