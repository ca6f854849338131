import { Empty, Failed, Waiting } from "@stoa/ui";
import { Link } from "@tanstack/react-router";
import { Suspense } from "react";

import type { Collection } from "../contracts/collections.js";
import css from "../frame/frame.module.css";
import { Page } from "../frame/page.js";
import { useKnown } from "../known.js";
import { failure } from "../node.js";
import { entries, ONES, PLACES } from "../pages/index.js";
import { Prose } from "../prose.js";
import { Rows, type Shown } from "../rows/rows.js";
import { Body, useThing } from "../rows/thing.js";
import { say } from "../strings.js";
import { short, words } from "../values.js";
import list from "./data.module.css";

/** What there is to look at. */
export function DataIndex() {
  return (
    <Page title={say.frame.data} about={say.data.about}>
      <ul className={list.kinds}>
        {entries(useKnown()).map(({ service, name, title, about }) => (
          <li key={`${service}/${name}`}>
            <Link to="/data/$service/$name" params={{ service, name }} className={list.kind ?? ""}>
              {service} / {title}
            </Link>
            <span className={list.about}>
              <Prose text={about} />
            </span>
          </li>
        ))}
      </ul>
    </Page>
  );
}

interface Props {
  service: string;
  name: string;
  shown: Shown;
  onShow: (shown: Shown) => void;
}

/** Everything of one kind, or a page that was made by hand for it. */
export function DataPage({ service, name, shown, onShow }: Props) {
  const { contracts, collections, may } = useKnown();
  const place = PLACES[`${service}/${name}`];
  // A link to one of a kind opens it beside the table.
  if (place && shown.open === undefined && contracts.services.some((one) => one.name === service)) {
    return (
      <Page title={`${service} / ${place.title}`} about={place.about}>
        <Suspense fallback={<Waiting lines={6} />}>
          <place.page />
        </Suspense>
      </Page>
    );
  }
  const found = collections.find((one) => one.service === service && one.name === name);
  if (found === undefined) {
    return (
      <Page title={`${service} / ${name}`}>
        <Empty>{say.data.missing}</Empty>
      </Page>
    );
  }
  const methods = contracts.services.find((one) => one.name === service)?.methods ?? [];
  const create = methods.find(({ name }) => name === `Create${found.item.name}`);
  return (
    <Page
      title={`${service} / ${words(found.items.name)}`}
      tools={
        create && may(create) ? (
          <Link
            to="/explore/$service/$method"
            params={{ service, method: create.name }}
            className={css.action ?? ""}
          >
            {say.data.newOne(
              words(found.item.name.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter}`)),
            )}
          </Link>
        ) : null
      }
    >
      <Rows key={`${service}/${name}`} collection={found} shown={shown} onShow={onShow} />
    </Page>
  );
}

/** One of a kind, with the whole page for it. */
export function OnePage({ service, name, id }: { service: string; name: string; id: string }) {
  const { collections } = useKnown();
  const Made = ONES[`${service}/${name}`];
  const collection = collections.find((one) => one.service === service && one.name === name);
  if (collection === undefined) {
    return (
      <Page title={`${service} / ${name}`}>
        <Empty>{say.data.missing}</Empty>
      </Page>
    );
  }
  if (Made === undefined) return <Plain collection={collection} id={id} />;
  return (
    <Suspense fallback={<Waiting lines={6} />}>
      <Made key={id} id={id} />
    </Suspense>
  );
}

function Plain({ collection, id }: { collection: Collection; id: string }) {
  const { service, name, item } = collection;
  const { thing, error } = useThing(collection, id, undefined);
  return (
    <Page
      title={`${words(item.name)} ${short(id)}`}
      tools={
        <Link to="/data/$service/$name" params={{ service, name }} search={{ open: id }}>
          {say.data.all(words(collection.items.name))}
        </Link>
      }
    >
      {thing ? (
        <Body collection={collection} thing={thing} />
      ) : error ? (
        <Failed {...failure(error)} />
      ) : (
        <Waiting />
      )}
    </Page>
  );
}
