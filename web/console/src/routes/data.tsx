import { Empty } from "@stoa/ui";
import { Link } from "@tanstack/react-router";

import { first } from "../contracts/comments.js";
import css from "../frame/frame.module.css";
import { Page } from "../frame/page.js";
import { useKnown } from "../known.js";
import { Prose } from "../prose.js";
import { Rows, type Shown } from "../rows/rows.js";
import { words } from "../values.js";
import list from "./data.module.css";

/** What there is to look at. */
export function DataIndex() {
  const { contracts, collections } = useKnown();
  return (
    <Page title="Data" about="Everything that services list, as tables made of their contracts.">
      <ul className={list.kinds}>
        {collections
          .filter(({ service }) => service !== "system")
          .map((collection) => (
            <li key={`${collection.service}/${collection.name}`}>
              <Link
                to="/data/$service/$name"
                params={{ service: collection.service, name: collection.name }}
                className={list.kind ?? ""}
              >
                {collection.service} / {words(collection.items.name)}
              </Link>
              <span className={list.about}>
                <Prose text={first(contracts.comment(collection.item))} />
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

/** Everything of one kind. */
export function DataPage({ service, name, shown, onShow }: Props) {
  const { contracts, collections, may } = useKnown();
  const found = collections.find((one) => one.service === service && one.name === name);
  if (found === undefined) {
    return (
      <Page title={`${service} / ${name}`}>
        <Empty>This node lists nothing of that name.</Empty>
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
            New {words(found.item.name.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter}`))}
          </Link>
        ) : null
      }
    >
      <Rows key={`${service}/${name}`} collection={found} shown={shown} onShow={onShow} />
    </Page>
  );
}
