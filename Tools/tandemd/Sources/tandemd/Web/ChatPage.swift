// SPDX-License-Identifier: Apache-2.0

/// The chat page at `/`: one file, without anything from elsewhere.
enum ChatPage {
    /// Nothing but what the page holds itself may run or be loaded, and it talks to the daemon only.
    static let securityPolicy =
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self';"
        + " img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

    static let html = head + style + body + script

    private static let head = #"""
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Tandem</title>
        <link rel="icon" href="data:,">

        """#

    private static let body = #"""
        </head>
        <body>
        <header>
          <h1>Tandem</h1>
          <label>Model <select id="model"></select></label>
          <label>Temperature <input id="temperature" type="number" min="0" max="2" step="0.1" value="0.7"></label>
          <label>Tokens <input id="tokens" type="number" min="1" step="1" value="512"></label>
          <button id="clear" type="button">New chat</button>
        </header>
        <form id="unlock" hidden>
          <label>API key <input id="key" type="password" autocomplete="off" required></label>
          <button>Unlock</button>
        </form>
        <details><summary>Instructions</summary>
          <textarea id="system" rows="3" placeholder="How the model should answer"></textarea>
        </details>
        <main id="log" aria-live="polite"></main>
        <p id="status" role="status"></p>
        <form id="ask">
          <textarea id="text" rows="3" placeholder="Your message (Enter sends, Shift+Enter begins a line)" required></textarea>
          <button id="send">Send</button>
          <button id="stop" type="button" hidden>Stop</button>
        </form>

        """#
}
