import { useRouter } from "@tanstack/react-router";
import type { MouseEvent, ReactNode } from "react";

interface Props {
  href: string;
  className?: string | undefined;
  title?: string | undefined;
  children: ReactNode;
}

/**
 * A link to another page, in a row of a table. It knows nothing of where the reader is, as links in
 * menus do: there are hundreds of it, and rows that scroll into sight are drawn between two frames.
 */
export function Go({ href, ...rest }: Props) {
  const router = useRouter();
  const go = (event: MouseEvent) => {
    // The row that it stands in opens something else.
    event.stopPropagation();
    if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey)
      return;
    event.preventDefault();
    void router.navigate({ href });
  };
  return <a href={href} onClick={go} {...rest} />;
}
