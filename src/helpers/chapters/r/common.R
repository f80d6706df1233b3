# ---- the same in each script: tables in, answers out, a line each: key,value; a line of words begins with #
args <- commandArgs(trailingOnly = TRUE)
script <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))
folder <- if (length(args) > 0) args[1] else file.path(dirname(script), folder)
read <- function(name) read.csv(file.path(folder, name), na.strings = "", colClasses = c(USUBJID = "character"))
answer <- function(key, value)
  cat(key, ",", if (is.finite(value)) sprintf("%.17g", value) else "NA", "\n", sep = "")
limits <- function(key, ends) { answer(paste0(key, "_lower"), ends[1]); answer(paste0(key, "_upper"), ends[2]) }
tell <- function(...) cat("#", ..., "\n")
tell(R.version.string)
