import type { JsonObject } from "@bufbuild/protobuf";
import { Copy, Drawer, Empty, Failed, Waiting } from "@stoa/ui";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { about, type Collection } from "../contracts/collections.js";
import { useKnown } from "../known.js";
import { call, failure } from "../node.js";
import { Tree } from "../reply/tree.js";
import { say } from "../strings.js";
import { short, words } from "../values.js";
import { History } from "./history.js";
import { useLiveThing } from "./live.js";
import css from "./rows.module.css";

interface Props {
  collection: Collection;
  id: string;
  /** The thing, if it is among the rows. */
  thing: JsonObject | undefined;
  onClose: () => void;
}

/** One of a kind, as the node has it: among the rows, or asked for by itself. It is live. */
export function useThing(collection: Collection, id: string, thing: JsonObject | undefined) {
  const { contracts, may } = useKnown();
  const { get, item, service } = collection;
  const found = useQuery({
    queryKey: ["thing", service, item.name, id],
    queryFn: async ({ signal }) => {
      if (get === undefined) return undefined;
      const reply = await call(contracts, get.method, { [get.by.jsonName]: id }, { signal });
      const field = get.method.desc.output.fields.find(({ message }) => message === item);
      return field === undefined
        ? undefined
        : ((reply.json as JsonObject)[field.jsonName] as JsonObject);
    },
    enabled: thing === undefined && get !== undefined && may(get.method),
  });
  const shown = useLiveThing(collection, id) ?? thing ?? found.data;
  return { thing: shown, error: found.error, isFetching: found.isFetching };
}

/** One of a kind beside its list: everything about it, and what can be done to it. */
export function Thing({ collection, id, thing, onClose }: Props) {
  const { service, name, item, get } = collection;
  const { thing: shown, error, isFetching } = useThing(collection, id, thing);
  return (
    <Drawer
      title={`${words(item.name)} ${short(id)}`}
      tools={
        <>
          {get ? (
            <Link
              to="/data/$service/$name/$id"
              params={{ service, name, id: String(shown?.[collection.id.jsonName] ?? id) }}
              className={css.whole ?? ""}
            >
              {say.data.openPage}
            </Link>
          ) : null}
          <Copy text={id} label={say.data.copyId} />
        </>
      }
      onClose={onClose}
    >
      {shown ? (
        <Body collection={collection} thing={shown} />
      ) : error ? (
        <Failed {...failure(error)} />
      ) : isFetching ? (
        <Waiting />
      ) : (
        <Empty>{say.data.notListed}</Empty>
      )}
    </Drawer>
  );
}

/** What can be done to one, everything about it, and how it came to be. */
export function Body({ collection, thing }: { collection: Collection; thing: JsonObject }) {
  const { may } = useKnown();
  const { item, service } = collection;
  const actions = collection.actions.filter(({ method }) => may(method));
  return (
    <>
      {actions.length > 0 ? (
        <div className={css.actions}>
          {actions.map((action) => (
            <Link
              key={action.method.name}
              className={css.action ?? ""}
              to="/explore/$service/$method"
              params={{ service, method: action.method.name }}
              search={{ fill: about(collection, action, thing) }}
            >
              {verb(action.method.name, item.name)}
            </Link>
          ))}
        </div>
      ) : null}
      <div className={css.body}>
        <Tree desc={item} value={thing} />
        <History touched={`${collection.kind}/${String(thing[collection.id.jsonName])}`} />
      </div>
    </>
  );
}

/** What a button says: `PostTransfer` is `Post`. */
export function verb(method: string, item: string): string {
  const bare = method.endsWith(item) ? method.slice(0, -item.length) : method;
  const spaced = bare.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return spaced || method;
}
