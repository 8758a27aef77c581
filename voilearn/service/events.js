// What the service tells an open page, read off one answer that does not end.
// In: an answer of text/event-stream; out: its events as they come, and its signs of life.

/**
 * Calls `hear` with each event's name and what it tells; with "" for a comment, which is a sign of life.
 * Resolves at the stream's end, and rejects where it breaks.
 * @param {Response} answer
 * @param {(name: string, told: any) => void} hear
 */
export async function readEvents(answer, hear) {
  const reader = /** @type {ReadableStream<Uint8Array>} */ (answer.body).getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (let piece; !(piece = await reader.read()).done; ) {
    text += decoder.decode(piece.value, { stream: true });
    const events = text.split("\n\n");
    text = events.pop() ?? "";
    for (const event of events) hear(...eventOf(event));
  }
}

/**
 * @param {string} text
 * @returns {[name: string, told: unknown]}
 */
function eventOf(text) {
  const [, name = ""] = /^event: (.*)$/m.exec(text) ?? [];
  const [, data = "null"] = /^data: (.*)$/m.exec(text) ?? [];
  return [name, JSON.parse(data)];
}
