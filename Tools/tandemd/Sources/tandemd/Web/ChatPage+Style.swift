// SPDX-License-Identifier: Apache-2.0

extension ChatPage {
    static let style = #"""
        <style>
        :root { color-scheme: light dark; --line: #8884; --own: #4a90d922; --bad: #c0392b; }
        * { box-sizing: border-box; }
        body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; height: 100vh; margin: 0 auto; padding: .75rem;
          display: flex; flex-direction: column; gap: .5rem; }
        header { display: flex; flex-wrap: wrap; gap: .75rem; align-items: center; }
        h1 { font-size: 1.1rem; margin: 0 auto 0 0; }
        label { font-size: .85rem; }
        input, select, textarea, button { font: inherit; padding: .3rem .5rem; border: 1px solid var(--line);
          border-radius: .4rem; }
        input[type=number] { width: 5rem; }
        textarea { width: 100%; resize: vertical; }
        button { cursor: pointer; }
        button:disabled { cursor: default; opacity: .5; }
        main { flex: 1; overflow-y: auto; border-block: 1px solid var(--line); padding-block: .5rem; }
        article { white-space: pre-wrap; overflow-wrap: anywhere; padding: .4rem .7rem; margin: .3rem 0; border-radius: .5rem; }
        article.user { background: var(--own); margin-left: 15%; }
        article.error { color: var(--bad); }
        #status { margin: 0; min-height: 1.5em; font-size: .85rem; opacity: .75; }
        #ask, #unlock { display: flex; gap: .5rem; align-items: flex-end; }
        [hidden] { display: none !important; }
        </style>

        """#
}
