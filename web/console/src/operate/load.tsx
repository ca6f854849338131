import { timestampDate } from "@bufbuild/protobuf/wkt";
import { type GetLoadResponse, SystemService } from "@stoa/sdk/system";
import { Badge, Button, Empty, Failed, links, Waiting } from "@stoa/ui";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { methodOf } from "../contracts/load.js";
import { useKnown } from "../known.js";

import { failure, stoa } from "../node.js";
import { Time } from "../reply/value.js";
import { say } from "../strings.js";
import { nameOf } from "../values.js";
import { CHARTS, Charts, useLoad } from "./charts.js";
import css from "./load.module.css";
import { MethodTable } from "./methods.js";
import { isMoving, LASTS, type Span, zoomed } from "./span.js";

interface Props {
  span: Span;
  onSpan: (span: Span) => void;
}

/** What the node did of late. */
export function Load({ span, onSpan }: Props) {
  const { data, error, refetch, isAllowed } = useLoad(span);
  if (!isAllowed) {
    return <Failed title={say.load.denied} next={say.load.deniedNext} />;
  }
  return (
    <div className={css.page}>
      <Bar span={span} onSpan={onSpan} load={data?.load} />
      {error ? <Failed {...failure(error)} retry={() => void refetch()} /> : null}
      {data === undefined ? (
        error ? null : (
          <Waiting lines={8} />
        )
      ) : (
        <>
          {data.load.points.length === 0 ? (
            <Empty>
              <p>{say.load.nothing}</p>
            </Empty>
          ) : (
            <Charts
              {...data}
              charts={CHARTS}
              onZoom={(from, to) => onSpan(zoomed(span, from, to, Number(data.load.stepSeconds)))}
            />
          )}
          <MethodTable
            methods={data.load.methods}
            seconds={data.to - data.from}
            picked={span.method}
            onPick={(method) => onSpan(without(span, method))}
          />
        </>
      )}
    </div>
  );
}

function without({ method: _, ...rest }: Span, method: string | undefined): Span {
  return method === undefined ? rest : { ...rest, method };
}

interface BarProps extends Props {
  load: GetLoadResponse | undefined;
}

/** Which span, of which node, since when it is known. */
function Bar({ span, onSpan, load }: BarProps) {
  const of = span.method === undefined ? {} : { method: span.method };
  return (
    <div className={css.bar}>
      <nav className={links.list} aria-label={say.load.span}>
        {Object.keys(LASTS).map((last) => (
          <Link
            key={last}
            to="/operate/load"
            search={{ ...of, last: last as "1h" }}
            className={links.tab}
            aria-current={isMoving(span) && (span.last ?? "1h") === last ? "page" : undefined}
          >
            {last}
          </Link>
        ))}
      </nav>
      {isMoving(span) ? null : (
        <Button small onClick={() => onSpan(of)}>
          {say.load.now}
        </Button>
      )}
      {span.method === undefined ? null : (
        <Button small onClick={() => onSpan(without(span, undefined))}>
          {nameOf(span.method)} ×
        </Button>
      )}
      <span className={css.about}>
        {load?.node ? <Badge title={say.load.node}>{load.node}</Badge> : null}
        <Others />
        {load?.sinceTime ? (
          <span>{say.load.since(<Time time={timestampDate(load.sinceTime).toISOString()} />)}</span>
        ) : null}
      </span>
    </div>
  );
}

/** The nodes that are not the one which answered. */
function Others() {
  const { contracts, may } = useKnown();
  const method = methodOf(contracts, "system", "GetNode");
  const { data } = useQuery({
    queryKey: ["node"],
    queryFn: ({ signal }) => stoa.client(SystemService).getNode({}, { signal }),
    enabled: method !== undefined && may(method),
  });
  const others = data?.node?.others ?? [];
  return others.length === 0 ? null : <span>{say.load.others(others.join(", "))}</span>;
}
