/**
 * <section data-job="export">
 *
 * Shows what the job says of itself: events that the server sends with send_event(),
 * each with the name of its job. Nothing here knows of the connection.
 */

const show = {
  status(job) {
    job.dataset.state = "running";
    job.querySelector("[data-failed]").hidden = true;
    for (const text of job.querySelectorAll("[data-log], [data-answer]")) {
      text.textContent = "";
    }
  },
  progress(job, { value }) {
    job.dataset.state = "running";
    job.querySelector("[data-bar]").value = value;
    job.querySelector("[data-value]").textContent = `${value} %`;
  },
  log(job, { line }) {
    job.dataset.state = "running";
    const log = job.querySelector("[data-log]");
    log.append(`${line}\n`);
    log.scrollTop = log.scrollHeight;
  },
  token(job, { text }) {
    job.dataset.state = "running";
    job.querySelector("[data-answer]").append(text);
  },
  complete(job) {
    job.dataset.state = "done";
  },
  failed(job) {
    job.dataset.state = "failed";
    job.querySelector("[data-failed]").hidden = false;
  },
};

document.addEventListener("notifications:event", ({ detail: { name, data } }) => {
  const job = document.querySelector(`[data-job="${CSS.escape(data.job)}"]`);
  if (job) show[name]?.(job, data);
});
