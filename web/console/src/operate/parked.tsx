import { timestampDate } from "@bufbuild/protobuf/wkt";
import { SystemService } from "@stoa/sdk/system";
import { Empty, Failed, Table, Waiting } from "@stoa/ui";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";

import { failure, stoa } from "../node.js";
import { Time } from "../reply/value.js";
import { say } from "../strings.js";
import { short } from "../values.js";
import { useBulk } from "./bulk.js";
import { type Subject, subjects } from "./narrow.js";
import css from "./operate.module.css";
import { boxes, type Deed, Deeds } from "./picker.js";

const EVERY_MS = 5_000;
const SHOWN = 1_000;

/** What could not be handled, by subject: release it, or let go of what fails. */
export function ParkedEvents() {
  const { data, error, refetch } = useQuery({
    queryKey: ["parked"],
    queryFn: ({ signal }) => stoa.client(SystemService).listParked({ pageSize: SHOWN }, { signal }),
    refetchInterval: EVERY_MS,
  });
  const rows = useMemo(() => subjects(data?.parked ?? []), [data]);
  const bulk = useBulk(rows.map(keyOf), () => void refetch());
  const named = (key: string) => {
    const [subscription = "", subject = ""] = key.split(" ");
    return { subscription, subject };
  };
  const deeds: Deed[] = [
    {
      verb: say.parked.release,
      act: (key) => stoa.client(SystemService).releaseParked(named(key)),
    },
    {
      verb: say.parked.drop,
      act: (key) => stoa.client(SystemService).dropParked(named(key)),
      loses: say.parked.dropLoses,
    },
  ];
  const columns = [
    boxes(bulk, rows, keyOf, ({ first }) => `${first.subscription} ${first.subject}`),
    { id: "subscription", title: say.parked.subscription, width: 180, cell: subscriptionOf },
    {
      id: "subject",
      title: say.parked.subject,
      width: 140,
      cell: ({ first: { subject } }: Subject) => (
        <span className={css.mono} title={subject}>
          {short(subject)}
        </span>
      ),
    },
    {
      id: "events",
      title: say.parked.events,
      width: 72,
      align: "end" as const,
      cell: ({ events }: Subject) => events.toLocaleString(),
    },
    {
      id: "error",
      title: say.parked.error,
      width: 320,
      cell: ({ first: { error } }: Subject) => (
        <span title={error}>{error || say.parked.released}</span>
      ),
    },
    {
      id: "position",
      title: say.parked.commit,
      width: 96,
      cell: ({ first: { position } }: Subject) => (
        <Link className={css.mono ?? ""} to="/operate/commits/$position" params={{ position }}>
          {position}
        </Link>
      ),
    },
    {
      id: "time",
      title: say.parked.time,
      width: 112,
      cell: ({ first: { parkTime } }: Subject) =>
        parkTime ? <Time time={timestampDate(parkTime).toISOString()} /> : "–",
    },
  ];
  return (
    <div className={css.page}>
      <Deeds bulk={bulk} deeds={deeds} isEmpty={rows.length === 0} nameOf={(key) => key}>
        <span className={css.count}>
          {rows.length > 0 ? say.parked.count(rows.length, data?.nextPageToken !== "") : ""}
        </span>
      </Deeds>
      {error ? (
        <Failed {...failure(error)} retry={() => void refetch()} />
      ) : data === undefined ? (
        <Waiting lines={8} />
      ) : rows.length === 0 ? (
        <Empty>
          <p>{say.parked.none}</p>
        </Empty>
      ) : (
        <Table
          className={css.table}
          label={say.parked.label}
          columns={columns}
          rows={rows}
          keyOf={keyOf}
        />
      )}
    </div>
  );
}

const keyOf = ({ key }: Subject) => key;
const subscriptionOf = ({ first }: Subject) => first.subscription;
