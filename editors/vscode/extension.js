// Starts `conspect language-server` for .cspec files.
const { workspace } = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

exports.activate = () => {
  const command = workspace.getConfiguration("conspec").get("command", "conspect");
  client = new LanguageClient("conspec", "Con_spec", { command, args: ["language-server"] }, { documentSelector: [{ language: "conspec" }] });
  return client.start();
};

exports.deactivate = () => client && client.stop();
