import type { Event } from "@stoa/sdk/system";
import { SystemService } from "@stoa/sdk/system";
import { Failed, Waiting } from "@stoa/ui";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";

import { type Collection, placeOf } from "../contracts/collections.js";
import { Go } from "../go.js";
import { useKnown } from "../known.js";
import { failure, stoa } from "../node.js";
import { Tree } from "../reply/tree.js";
import { useThing } from "../rows/thing.js";
import { say } from "../strings.js";
import { short } from "../values.js";
import css from "./operate.module.css";
import { told } from "./told.js";

/** As many events as are read without being unfolded. */
const FEW = 3;

/** What a commit said by its events. */
export function Said({ events }: { events: readonly Event[] }) {
  const { contracts } = useKnown();
  return events.map((event) => {
    const desc = contracts.registry.getMessage(event.message);
    const json = told(contracts, event);
    return (
      <details key={String(event.ordinal)} className={css.fold} open={events.length <= FEW}>
        <summary>
          {event.topic} <code title={event.subject}>{short(event.subject)}</code>
        </summary>
        {desc && json ? <Tree desc={desc} value={json} /> : <p>{say.commit.unknownEvent}</p>}
      </details>
    );
  });
}

/** Something that a commit touched; whoever may see it sees it as it is now. */
export function Touched({ name, position }: { name: string; position: string }) {
  const { byKind, may } = useKnown();
  const [isOpen, open] = useState(false);
  const [, kind = "", id = ""] = /^([^/]*)\/(.*)$/.exec(name) ?? [];
  const collection = byKind.get(kind);
  const title = <code title={name}>{`${kind}/${short(id)}`}</code>;
  if (collection?.get === undefined || !may(collection.get.method)) {
    return <p className={css.closed}>{title}</p>;
  }
  return (
    <details className={css.fold} onToggle={(event) => open(event.currentTarget.open)}>
      <summary>{title}</summary>
      {isOpen ? <Now collection={collection} id={id} name={name} position={position} /> : null}
    </details>
  );
}

interface NowProps {
  collection: Collection;
  id: string;
  name: string;
  position: string;
}

/** One of a kind as it is now, and whether that is how the commit left it. */
function Now({ collection, id, name, position }: NowProps) {
  const { thing, error } = useThing(collection, id, undefined);
  const { data: since } = useQuery({
    queryKey: ["history", "since", name, position],
    queryFn: ({ signal }) =>
      stoa.client(SystemService).listCommits({ touched: name, position, pageSize: 1 }, { signal }),
  });
  const last = since?.commits[0]?.position;
  const isSame = since !== undefined && last === undefined && since.nextPageToken === "";
  if (thing === undefined) return error ? <Failed {...failure(error)} /> : <Waiting lines={3} />;
  return (
    <div className={css.now}>
      <p className={css.quiet}>
        {last
          ? say.commit.touchedSince(
              <Link to="/operate/commits/$position" params={{ position: last }}>
                {last}
              </Link>,
            )
          : isSame
            ? say.commit.untouchedSince
            : say.commit.asItIs}{" "}
        <Go href={placeOf(collection, id)}>{say.commit.wholeHistory}</Go>
      </p>
      <Tree desc={collection.item} value={thing} />
    </div>
  );
}
