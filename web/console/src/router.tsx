import type { JsonObject } from "@bufbuild/protobuf";
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
} from "@tanstack/react-router";

import { spanOf } from "./operate/span.js";
import { Back } from "./routes/back.js";
import { DataIndex, DataPage, OnePage } from "./routes/data.js";
import { Home } from "./routes/home.js";
import { LoadPage, OperatePage } from "./routes/operate.js";
import { PeoplePage } from "./routes/people.js";
import { Broken, Missing, Root } from "./routes/root.js";
import type { Shown } from "./rows/rows.js";

/** What a list shows is in its address: a link leads to the same rows, and the same one of them. */
function shown(search: Record<string, unknown>): Shown {
  const { open, filter, sort } = search;
  const isFilter = typeof filter === "object" && filter !== null;
  return {
    ...(typeof open === "string" ? { open } : {}),
    ...(typeof sort === "string" ? { sort } : {}),
    ...(isFilter ? { filter: filter as { [name: string]: string } } : {}),
  };
}

const root = createRootRoute({
  component: Root,
  errorComponent: Broken,
  notFoundComponent: Missing,
});

const explore = createRoute({
  getParentRoute: () => root,
  path: "/explore",
  component: lazyRouteComponent(() => import("./routes/explore.js"), "ExploreIndex"),
});

const method = createRoute({
  getParentRoute: () => root,
  path: "/explore/$service/$method",
  validateSearch: ({ fill }): { fill?: JsonObject } =>
    typeof fill === "object" && fill !== null ? { fill: fill as JsonObject } : {},
  component: lazyRouteComponent(() => import("./routes/explore.js"), "ExploreMethod"),
});

const data = createRoute({
  getParentRoute: () => root,
  path: "/data/$service/$name",
  validateSearch: shown,
  component: function Data() {
    const navigate = data.useNavigate();
    const show = (search: Shown) => void navigate({ search, replace: true });
    return <DataPage {...data.useParams()} shown={data.useSearch()} onShow={show} />;
  },
});

const one = createRoute({
  getParentRoute: () => root,
  path: "/data/$service/$name/$id",
  component: function One() {
    return <OnePage {...one.useParams()} />;
  },
});

const operate = createRoute({
  getParentRoute: () => root,
  path: "/operate/{-$part}",
  validateSearch: shown,
  component: function Operate() {
    const navigate = operate.useNavigate();
    const show = (search: Shown) => void navigate({ search, replace: true });
    const { part = "events" } = operate.useParams();
    return <OperatePage part={part} shown={operate.useSearch()} onShow={show} />;
  },
});

const load = createRoute({
  getParentRoute: () => root,
  path: "/operate/load",
  validateSearch: spanOf,
  component: function Load() {
    const navigate = load.useNavigate();
    return <LoadPage span={load.useSearch()} onSpan={(search) => void navigate({ search })} />;
  },
});

const people = createRoute({
  getParentRoute: () => root,
  path: "/people/{-$part}",
  validateSearch: shown,
  component: function People() {
    const navigate = people.useNavigate();
    const show = (search: Shown) => void navigate({ search, replace: true });
    const { part = "users" } = people.useParams();
    return <PeoplePage part={part} shown={people.useSearch()} onShow={show} />;
  },
});

const commit = createRoute({
  getParentRoute: () => root,
  path: "/operate/commits/$position",
  component: lazyRouteComponent(() => import("./operate/commit.js"), "OneCommit"),
});

const parts = createRoute({
  getParentRoute: () => root,
  path: "/-/parts",
  component: lazyRouteComponent(() => import("./routes/showcase.js")),
});

const AccountPage = lazyRouteComponent(() => import("./account/account.js"), "Account");

const account = createRoute({
  getParentRoute: () => root,
  path: "/account/{-$part}",
  component: function Own() {
    const { part = "sign-in" } = account.useParams();
    return <AccountPage part={part} />;
  },
});

/** Where a page of the node sends whoever has to sign in. */
const signIn = createRoute({
  getParentRoute: () => root,
  path: "/sign-in",
  validateSearch: (search): { return?: string } =>
    typeof search.return === "string" ? { return: search.return } : {},
  component: function SignIn() {
    return <Back to={signIn.useSearch().return ?? "/"} />;
  },
});

const routes = [
  createRoute({ getParentRoute: () => root, path: "/", component: Home }),
  createRoute({ getParentRoute: () => root, path: "/data", component: DataIndex }),
  explore,
  method,
  data,
  one,
  operate,
  load,
  people,
  commit,
  parts,
  account,
  signIn,
];

/** What a page is made of comes when somebody points at a link to it. */
export const router = createRouter({
  routeTree: root.addChildren(routes),
  defaultPreload: "intent",
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
