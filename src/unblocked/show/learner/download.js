function render({ model, el }) {
  const button = document.createElement("button");
  button.className = "jupyter-button widget-button mod-primary";
  button.style.width = "auto";
  button.textContent = model.get("label");
  const says = document.createElement("span");
  says.setAttribute("role", "status");
  says.style.marginLeft = "8px";
  button.addEventListener("click", () => {
    says.textContent = "…";
    model.send("make");
  });
  const receive = (message, buffers) => {
    if (message.error) {
      says.textContent = message.error;
      return;
    }
    const url = URL.createObjectURL(new Blob([buffers[0]], { type: message.type }));
    const link = document.createElement("a");
    link.href = url;
    link.download = message.name;
    el.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 60000);
    says.textContent = `${message.name}: ${Math.ceil(buffers[0].byteLength / 1000)} kB`;
  };
  model.on("msg:custom", receive);
  el.append(button, says);
  return () => model.off("msg:custom", receive);
}
export default { render };
