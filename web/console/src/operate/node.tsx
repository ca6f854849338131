import { timestampDate } from "@bufbuild/protobuf/wkt";
import { type Configured, type Node, SystemService } from "@stoa/sdk/system";
import { type Column, Copy, Failed, Table, Waiting } from "@stoa/ui";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

import { failure, stoa } from "../node.js";
import { Time } from "../reply/value.js";
import { say } from "../strings.js";
import css from "./operate.module.css";
import { bytes } from "./points.js";

/** The node that answers: what it is, and what it was started with. */
export function NodePage() {
  const { data, error, refetch } = useQuery({
    queryKey: ["node"],
    queryFn: ({ signal }) => stoa.client(SystemService).getNode({}, { signal }),
  });
  if (error) return <Failed {...failure(error)} retry={() => void refetch()} />;
  if (data?.node === undefined) return <Waiting lines={8} />;
  return <About node={data.node} />;
}

function About({ node }: { node: Node }) {
  const { name, version, engine, startTime, backup, others, configuration } = node;
  const isEmbedded = engine === "sqlite";
  return (
    <div className={css.page}>
      <dl className={css.about}>
        <Fact name={say.node.node}>{name}</Fact>
        <Fact name={say.node.since}>{startTime ? <Ago time={startTime} /> : "–"}</Fact>
        <Fact name={say.node.version}>{version}</Fact>
        <Fact name={say.node.engine}>
          {isEmbedded ? say.node.engines.sqlite : say.node.engines.postgres}
        </Fact>
        <Fact name={say.node.others}>
          {others.length === 0 ? say.node.noOthers : others.join(", ")}
        </Fact>
        <Fact name={say.node.backup}>
          {backup?.time ? (
            say.node.backedUp(
              <Ago time={backup.time} />,
              bytes(Number(backup.bytes)),
              <Link to="/operate/commits/$position" params={{ position: backup.position }}>
                {backup.position}
              </Link>,
            )
          ) : isEmbedded ? (
            <>
              {say.node.noBackup(<code>{say.node.backupCommand}</code>)}
              <Copy text={`${say.node.backupCommand} <directory>`} label={say.node.copyCommand} />
            </>
          ) : (
            say.node.byPostgres
          )}
        </Fact>
      </dl>
      <Table
        className={css.table}
        label={say.node.configuration}
        columns={COLUMNS}
        rows={configuration}
        keyOf={({ name }) => name}
      />
    </div>
  );
}

function Ago({ time }: { time: Parameters<typeof timestampDate>[0] }) {
  return <Time time={timestampDate(time).toISOString()} />;
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

const COLUMNS: Column<Configured>[] = [
  {
    id: "name",
    title: say.node.configured,
    width: 200,
    cell: ({ name }) => <span className={css.mono}>{name}</span>,
  },
  {
    id: "value",
    title: say.node.value,
    width: 360,
    cell: ({ value }) =>
      value === "" ? (
        "–"
      ) : (
        <span className={css.mono} title={value}>
          {value}
        </span>
      ),
  },
  {
    id: "source",
    title: say.node.source,
    width: 240,
    cell: ({ source }) =>
      source === "default" ? (
        <span className={css.quiet}>{say.node.byDefault}</span>
      ) : (
        <span className={css.mono}>{source}</span>
      ),
  },
];
