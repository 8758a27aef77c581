// Has Chromium compile the runtime once more, as it comes: what it compiles so, it keeps for the next
// visit. In a worker of its own, whose memory goes with it.
// In: the runtime's address, which the page sends; out: nothing.

/** @param {MessageEvent<string>} event */
self.onmessage = ({ data }) => WebAssembly.compileStreaming(fetch(data)).finally(() => self.close());
