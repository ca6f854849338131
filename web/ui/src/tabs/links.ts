import css from "./tabs.module.css";

/** The look of links that are tabs: several pages of one place. */
export const links = { list: css.list ?? "", tab: css.tab ?? "" };
