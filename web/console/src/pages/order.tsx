import { type Order, OrderState, OrdersService } from "@stoa/sdk/orders";
import { useWatch } from "@stoa/sdk/react";
import { type Commit, SystemService } from "@stoa/sdk/system";
import { Failed, State, Waiting } from "@stoa/ui";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { Page } from "../frame/page.js";
import { failure, stoa } from "../node.js";
import { say } from "../strings.js";
import { brief, short } from "../values.js";
import css from "./pages.module.css";
import { Asked, Facts, One, Sum, When } from "./shared.js";

const WORDS = {
  [OrderState.UNSPECIFIED]: say.order.states.unknown,
  [OrderState.PLACED]: say.order.states.placed,
  [OrderState.CANCELLED]: say.order.states.cancelled,
};

/** An order: what was bought, and what else changed in the same commit. */
export default function OrderPage({ id }: { id: string }) {
  const { reply, error } = useWatch(stoa, OrdersService.method.getOrder, { id });
  const order = reply?.order;
  if (error && order === undefined) return <Failed {...failure(error)} />;
  if (order === undefined) return <Waiting lines={6} />;
  const isPlaced = order.state === OrderState.PLACED;
  const { facts } = say.order;
  return (
    <Page
      title={say.order.title(short(order.id))}
      tools={
        isPlaced ? (
          <Link
            to="/explore/$service/$method"
            params={{ service: "orders", method: "CancelOrder" }}
            search={{ fill: { id: order.id } }}
          >
            {say.order.cancel}
          </Link>
        ) : null
      }
    >
      <Facts
        of={{
          [facts.state]: <State mood={isPlaced ? "good" : "warn"}>{WORDS[order.state]}</State>,
          [facts.total]: <Sum of={order.total} />,
          [facts.customer]: <One list="users/users" id={order.customerId} />,
          [facts.charged]: <One list="ledger/transfers" id={order.transferId} />,
          [facts.reversed]: <One list="ledger/transfers" id={order.reversalId} />,
          [facts.bought]: <When time={order.effectiveTime} />,
        }}
      />
      <Lines of={order} />
      <Story id={order.id} version={String(order.updateTime?.seconds)} />
    </Page>
  );
}

function Lines({ of: { lines, total, location } }: { of: Order }) {
  return (
    <section className={css.part} aria-labelledby="lines">
      <h2 id="lines">{say.order.lines(location)}</h2>
      <table className={css.sheet}>
        <thead>
          <tr>
            <th scope="col">{say.order.sku}</th>
            <th scope="col">{say.order.quantity}</th>
            <th scope="col">{say.order.each}</th>
            <th scope="col">{say.order.amount}</th>
          </tr>
        </thead>
        <tbody>
          {lines.map(({ sku, title, quantity, unitPrice, amount }) => (
            <tr key={sku}>
              <th scope="row">
                <code>{sku}</code> {title}
              </th>
              <td>{quantity.toLocaleString()}</td>
              <td>
                <Sum of={unitPrice} />
              </td>
              <td>
                <Sum of={amount} />
              </td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">{say.order.inAll}</th>
            <td />
            <td />
            <td>
              <Sum of={total} />
            </td>
          </tr>
        </tfoot>
      </table>
    </section>
  );
}

/** Each commit that changed the order, with all that changed along with it. */
function Story({ id, version }: { id: string; version: string }) {
  const story = useQuery({
    queryKey: ["story", id, version],
    queryFn: async ({ signal }) => {
      const system = stoa.client(SystemService);
      const listed = await system.listCommits({ touched: `orders.order/${id}` }, { signal });
      const whole = listed.commits.map(({ position }) =>
        system.getCommit({ position }, { signal }),
      );
      const commits = (await Promise.all(whole)).flatMap(({ commit }) => commit ?? []);
      return { commits: commits.reverse(), more: listed.nextPageToken !== "" };
    },
  });
  return (
    <section className={css.part} aria-labelledby="story">
      <h2 id="story">{say.order.story}</h2>
      <Asked query={story}>
        {({ commits, more }) =>
          commits.length === 0 ? (
            <p className={css.dim}>{more ? say.order.tooOld : say.order.noCommit}</p>
          ) : (
            <ol className={css.story}>
              {commits.map((commit) => (
                <Told key={commit.position} commit={commit} />
              ))}
            </ol>
          )
        }
      </Asked>
    </section>
  );
}

function Told({ commit }: { commit: Commit }) {
  const { position, time, method, caller, tables, events, jobs } = commit;
  return (
    <li>
      <p>
        {say.order.told(
          <Link to="/operate/commits/$position" params={{ position }}>
            {method.replace(/^.*\//, "") || say.order.itself}
          </Link>,
          <code title={caller}>{brief(caller)}</code>,
          <When time={time} />,
        )}
      </p>
      <ul className={css.changed} aria-label={say.order.changed}>
        {services(tables).map(([service, rows]) => (
          <li key={service}>{say.order.rows(<strong>{service}</strong>, rows)}</li>
        ))}
        {events.map(({ ordinal, topic }) => (
          <li key={`event ${ordinal}`}>
            <strong>{say.order.event}</strong> {topic}
          </li>
        ))}
        {jobs.map(({ id, method, state }) => (
          <li key={id}>
            <strong>{say.order.job}</strong> {method.replace(/^.*\//, "")}, {state}
          </li>
        ))}
      </ul>
    </li>
  );
}

/** How many rows each service wrote: a table begins with the name of its service. */
function services(tables: Commit["tables"]): [string, number][] {
  const counts = new Map<string, number>();
  for (const { table, rows } of tables) {
    const service = table.split("_")[0] ?? table;
    if (service !== "stoa") counts.set(service, (counts.get(service) ?? 0) + Number(rows));
  }
  return [...counts];
}
