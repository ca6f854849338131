import type { AnyDesc, DescEnum, DescFile, DescMessage } from "@bufbuild/protobuf";

/** The numbers of fields in `descriptor.proto`, of which the place of a comment is made. */
const MESSAGE = 4;
const ENUM = 5;
const SERVICE = 6;
const OF_MESSAGE = { field: 2, message: 3, enum: 4 } as const;
const VALUE = 2;
const METHOD = 2;

/** Finds what files say about their items. A file is read when it is first asked about. */
export function comments(): (item: AnyDesc) => string {
  const read = new Map<DescFile, Map<AnyDesc, string>>();
  return (item) => {
    const file = item.kind === "file" ? item : fileOf(item);
    if (file === undefined) return "";
    const found = read.get(file) ?? of(file);
    read.set(file, found);
    return found.get(item) ?? "";
  };
}

function fileOf(item: Exclude<AnyDesc, DescFile>): DescFile | undefined {
  if ("file" in item) return item.file;
  if ("parent" in item) return item.parent.file;
  return undefined;
}

function of(file: DescFile): Map<AnyDesc, string> {
  const texts = new Map<string, string>();
  for (const { path, leadingComments, trailingComments } of file.proto.sourceCodeInfo?.location ??
    []) {
    const text = clean(leadingComments || trailingComments);
    if (text !== "") texts.set(path.join(), text);
  }
  const found = new Map<AnyDesc, string>();
  const note = (item: AnyDesc, path: number[]) => {
    const text = texts.get(path.join());
    if (text !== undefined) found.set(item, text);
  };
  const enumeration = (item: DescEnum, path: number[]) => {
    note(item, path);
    each(item.values, [...path, VALUE], note);
  };
  const message = (item: DescMessage, path: number[]) => {
    note(item, path);
    each(item.fields, [...path, OF_MESSAGE.field], note);
    each(item.nestedEnums, [...path, OF_MESSAGE.enum], enumeration);
    // Entries of maps are messages that nobody sees: others stand where the file says.
    for (const nested of item.nestedMessages) {
      const place = item.proto.nestedType.indexOf(nested.proto);
      message(nested, [...path, OF_MESSAGE.message, place]);
    }
  };
  each(file.messages, [MESSAGE], message);
  each(file.enums, [ENUM], enumeration);
  each(file.services, [SERVICE], (service, path) => {
    note(service, path);
    each(service.methods, [...path, METHOD], note);
  });
  return found;
}

/** Visits items that stand in a file one after the other. */
function each<Item>(
  items: readonly Item[],
  path: number[],
  visit: (item: Item, path: number[]) => void,
): void {
  for (const [place, item] of items.entries()) visit(item, [...path, place]);
}

/** Lines of a paragraph belong together; an empty line begins another one. */
function clean(text: string): string {
  const lines = text.split("\n").map((line) => line.trim());
  const paragraphs = lines.join("\n").split(/\n{2,}/);
  return paragraphs
    .map((paragraph) => paragraph.replaceAll("\n", " ").trim())
    .join("\n\n")
    .trim();
}

/** The first sentence of a comment. */
export function first(text: string): string {
  return /^(.*?[.:])(\s|$)/s.exec(text)?.[1]?.replace(/:$/, ".") ?? text;
}
