/** A node that answers what a test says, and remembers what it was asked. */

export interface Asked {
  path: string;
  headers: Headers;
  body: unknown;
}

type Answer = Response | Error | ((asked: Asked) => Response);

/** Answers in their order; the last one is given for good. */
export function node(...answers: Answer[]): { asked: Asked[]; fetch: typeof fetch } {
  const asked: Asked[] = [];
  const answering: typeof fetch = async (input, init) => {
    const body: unknown = JSON.parse(new TextDecoder().decode(init?.body as Uint8Array));
    const call = {
      path: new URL(String(input)).pathname,
      headers: new Headers(init?.headers),
      body,
    };
    asked.push(call);
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer === undefined) throw new Error("the test says nothing of another call");
    if (answer instanceof Error) throw answer;
    return answer instanceof Response ? answer.clone() : answer(call);
  };
  return { asked, fetch: answering };
}

export function reply(message: object, headers: Record<string, string> = {}): Response {
  return Response.json(message, { headers });
}

export function refusal(
  code: string,
  status: number,
  headers: Record<string, string> = {},
): Response {
  return Response.json({ code, message: "not now" }, { status, headers });
}
