adsl <- read("adsl.csv")
adae <- read("adae.csv")

# the safety set by treatment received, and its treatment-emergent events; what nobody judged counts as serious, related
treated <- adsl[adsl$SAFFL %in% "Y", ]
events <- adae[adae$TRTEMFL %in% "Y" & adae$USUBJID %in% treated$USUBJID, ]
events$arm <- treated$TRT01A[match(events$USUBJID, treated$USUBJID)]
n <- sapply(arms, function(arm) sum(treated$TRT01A %in% arm))
serious <- !(events$AESER %in% "N")
related <- !(events$AEREL %in% "N")
grave <- events$AESEV %in% c("severe", "life-threatening", "fatal")
groups <- list(any = rep(TRUE, nrow(events)), related = related, serious = serious, serious_related = serious & related,
               grave = grave, fatal = events$AESEV %in% "fatal", within_24h = events$AE24HFL %in% "Y",
               ongoing = is.na(events$ADURN))
for (kind in c("fever", "infection", "other")) groups[[kind]] <- events$AEDECOD %in% kind

with_event <- function(chosen) sapply(arms, function(arm) length(unique(events$USUBJID[chosen & events$arm %in% arm])))
by_arm <- function(key, values) for (arm in names(arms)) answer(paste0(key, ".", arm), values[[arm]])
for (name in names(groups)) {
  found <- with_event(groups[[name]])
  by_arm(paste0("safety.", name), found)
  shares <- found / n
  answer(paste0("safety.", name, ".difference"), if (all(n > 0)) 100 * (shares[["msc"]] - shares[["placebo"]]) else NA)
}
by_arm("safety.worst_grave", with_event(grave))
by_arm("safety.died", with_event(groups$fatal))
by_arm("safety.n_treated", n)
by_arm("safety.infusions_2", sapply(arms, function(arm) sum(treated$TRT01A %in% arm & treated$NINFUS %in% 2)))
by_arm("safety.left_event", sapply(arms, function(arm) sum(treated$TRT01A %in% arm & treated$DCSREAS %in% "adverse event")))

# days from the first infusion to the last contact, both counted; events per child-year; first events and their ratio
first <- as.Date(treated$TRTSDT)
time <- pmax(as.numeric(as.Date(treated$EOSDT) - first) + 1, 0)
years <- sapply(arms, function(arm) sum(time[treated$TRT01A %in% arm]) / days_per_year)
by_arm("safety.years", years)
day <- as.numeric(as.Date(events$ASTDT) - first[match(events$USUBJID, treated$USUBJID)]) + 1
for (name in c("any", "related", "serious", "fever", "infection", "other")) {
  chosen <- groups[[name]]
  counted <- sapply(arms, function(arm) sum(chosen & events$arm %in% arm))
  by_arm(paste0("safety.rate.", name), ifelse(years > 0, counted / years, NA))
  until <- sapply(treated$USUBJID, function(child) suppressWarnings(min(day[chosen & events$USUBJID == child])))
  until <- as.numeric(unlist(until))
  rate <- sapply(arms, function(arm) {
    mine <- treated$TRT01A %in% arm
    sum(is.finite(until[mine])) / (sum(ifelse(is.finite(until[mine]), until[mine], time[mine])) / days_per_year)
  })
  answer(paste0("safety.rate_ratio.", name), rate[["msc"]] / rate[["placebo"]])
}

# what it excludes that no child on hUC-MSC had an event: exact bounds
none <- function(...) 100 * binom.test(0, n[["msc"]], ...)$conf.int[2]
answer("safety.zero_upper", if (n[["msc"]] > 0) none() else NA)
answer("safety.zero_upper_one_sided", if (n[["msc"]] > 0) none(alternative = "less") else NA)
answer("safety.unseen_1", if (n[["msc"]] > 0) 100 * 0.99^n[["msc"]] else NA)
answer("safety.unseen_5", if (n[["msc"]] > 0) 100 * 0.95^n[["msc"]] else NA)
